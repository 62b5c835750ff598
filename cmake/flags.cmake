# How every target of this project is compiled: tapegrad_flags(TARGET), and the sanitizers.

if(TAPEGRAD_SANITIZE)
  add_compile_options(-fsanitize=${TAPEGRAD_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TAPEGRAD_SANITIZE})
endif()

# Warnings become errors through CMAKE_COMPILE_WARNING_AS_ERROR, which the presets set.
function(tapegrad_flags target)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  target_compile_features(${target} PRIVATE cxx_std_20)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 /permissive- /utf-8 /bigobj /Zc:__cplusplus)
    target_compile_definitions(${target} PRIVATE _USE_MATH_DEFINES NOMINMAX)
  else()
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic
      # GCC 12 takes appending to std::string for overlapping copies.
      $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  endif()
endfunction()

# Kernels vectorise only where no errno and no trap is promised. Never -ffast-math: a NaN, an
# infinity and the sign of a zero must come out right; no contraction, so that every instruction set
# rounds alike.
function(tapegrad_kernel_flags)
  if(NOT MSVC)
    set_source_files_properties(${ARGN} PROPERTIES
      COMPILE_OPTIONS "-fno-math-errno;-fno-trapping-math;-ffp-contract=off")
  endif()
endfunction()
