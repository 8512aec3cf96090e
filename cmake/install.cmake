# SPDX-License-Identifier: MIT
# `cmake --install`: the library with its package for find_package(muster), and the command. The Node module goes by npm.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/muster)
set_target_properties(muster_core PROPERTIES EXPORT_NAME core)
set_target_properties(muster_http1 PROPERTIES EXPORT_NAME http1)
install(TARGETS muster muster_core muster_http1 EXPORT muster FILE_SET HEADERS)
install(EXPORT muster NAMESPACE muster:: DESTINATION ${package} FILE musterTargets.cmake)
if(TARGET muster_command)
  install(TARGETS muster_command)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

file(CONFIGURE OUTPUT musterConfig.cmake @ONLY CONTENT [[
include(CMakeFindDependencyMacro)
find_dependency(fmt)
find_dependency(PkgConfig)
pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv)
include(${CMAKE_CURRENT_LIST_DIR}/musterTargets.cmake)
]])
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/musterConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/musterConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/musterConfigVersion.cmake DESTINATION ${package})
