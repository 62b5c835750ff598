# The compiled core as a static library: tapegrad_add_core(TARGET FOLDER) takes the sources of all
# layers below FOLDER. Called by cpp/CMakeLists.txt and, for tapegrad::program, by the installed
# package. Needs tapegrad_flags (flags.cmake) and the target tapegrad::tapegrad.
function(tapegrad_add_core target folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*/*.cpp)
  add_library(${target} STATIC ${sources})
  target_link_libraries(${target} PUBLIC tapegrad::tapegrad)
  tapegrad_flags(${target})
  file(GLOB kernels CONFIGURE_DEPENDS
    ${folder}/ops/kernels_*.cpp ${folder}/ops/blocked.cpp ${folder}/ops/reductions.cpp
    ${folder}/ops/scans.cpp
    ${folder}/backends/array_machine_*.cpp ${folder}/backends/array_calls.cpp
    ${folder}/backends/scalar.cpp ${folder}/backends/scalar_loops.cpp)
  tapegrad_kernel_flags(${kernels})

  find_package(Threads QUIET REQUIRED)
  target_link_libraries(${target} PUBLIC Threads::Threads)
  # Without OpenMP everything runs on one thread. (ThreadSanitizer does not know its barriers.)
  find_package(OpenMP QUIET COMPONENTS CXX)
  if(OpenMP_CXX_FOUND AND NOT TAPEGRAD_SANITIZE MATCHES "thread")
    target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
  endif()
endfunction()
