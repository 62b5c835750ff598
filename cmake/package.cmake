# What find_package(tapegrad) reads: the config, its version, the exported header target, and how the
# core is compiled.
include(CMakePackageConfigHelpers)

set(package_files ${CMAKE_CURRENT_BINARY_DIR}/tapegradConfig.cmake
                  ${CMAKE_CURRENT_BINARY_DIR}/tapegradConfigVersion.cmake)
configure_package_config_file(cmake/tapegradConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/tapegradConfig.cmake
  INSTALL_DESTINATION ${TAPEGRAD_INSTALL_CMAKE} PATH_VARS TAPEGRAD_INSTALL_INCLUDE)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/tapegradConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${package_files} cmake/flags.cmake cmake/core.cmake
        DESTINATION ${TAPEGRAD_INSTALL_CMAKE})
install(EXPORT tapegrad NAMESPACE tapegrad:: FILE tapegradTargets.cmake
        DESTINATION ${TAPEGRAD_INSTALL_CMAKE})
