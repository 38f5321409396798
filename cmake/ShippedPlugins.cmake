# Builds plugins/ as a stranger would: the SDK is installed into the build tree, and a CMake project that sees
# nothing but that installation builds the plugins into BUILD/plugins, where a daemon of this build finds them.
include(ExternalProject)

set(sdk_prefix ${CMAKE_BINARY_DIR}/sdk-install)
set(plugins_folder ${CMAKE_BINARY_DIR}/plugins)
file(GLOB_RECURSE sdk_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sdk/*)

add_custom_command(OUTPUT ${sdk_prefix}/installed
  COMMAND ${CMAKE_COMMAND} -S ${CMAKE_SOURCE_DIR}/sdk -B ${CMAKE_BINARY_DIR}/sdk-build -G ${CMAKE_GENERATOR}
    -DCMAKE_INSTALL_PREFIX=${sdk_prefix} -DCMAKE_INSTALL_MESSAGE=NEVER --log-level=WARNING
  COMMAND ${CMAKE_COMMAND} --install ${CMAKE_BINARY_DIR}/sdk-build
  COMMAND ${CMAKE_COMMAND} -E touch ${sdk_prefix}/installed
  DEPENDS ${sdk_files} COMMENT "Installing the SDK into the build tree" VERBATIM)
add_custom_target(installed_sdk DEPENDS ${sdk_prefix}/installed)

if(CCACHE)
  set(plugin_launcher -DCMAKE_CXX_COMPILER_LAUNCHER=${CCACHE})
endif()
set(plugin_flags "-Wall -Wextra -Werror ${without_collection}")
set(plugin_optimization "-O2 -DNDEBUG") # as the daemon's own code
ExternalProject_Add(shipped_plugins
  SOURCE_DIR ${CMAKE_SOURCE_DIR}/plugins
  BINARY_DIR ${CMAKE_BINARY_DIR}/plugins-build
  CMAKE_ARGS -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_PREFIX_PATH=${sdk_prefix} -DCMAKE_CXX_FLAGS=${plugin_flags}
    -DCMAKE_CXX_FLAGS_RELEASE=${plugin_optimization}
    -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${plugins_folder} ${plugin_launcher}
  INSTALL_COMMAND "" BUILD_ALWAYS ON DEPENDS installed_sdk)

install(DIRECTORY ${plugins_folder}/ DESTINATION lib/rftd/plugins FILES_MATCHING PATTERN "*.so")
