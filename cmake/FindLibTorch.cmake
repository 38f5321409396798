# Finds the C++ libraries inside the torch wheel that scripts/bootstrap installs, and makes the target
# LibTorch::cpu. The wheel's own TorchConfig.cmake insists on a CUDA toolkit, which a CPU build does not
# need: libtorch_cpu and libc10 are all that is linked. Only what changes the wheel is set here.
#
#   LIBTORCH_ROOT   the wheel's `torch` folder (default: where scripts/bootstrap puts it)
if(NOT LIBTORCH_ROOT)
  if(DEFINED ENV{RFTD_CACHE})
    set(_cache $ENV{RFTD_CACHE})
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(_cache $ENV{XDG_CACHE_HOME}/rftd)
  else()
    set(_cache $ENV{HOME}/.cache/rftd)
  endif()
  file(GLOB _candidates ${_cache}/torch-${LibTorch_FIND_VERSION}*/lib/python3*/site-packages/torch)
  list(POP_FRONT _candidates _first)
  set(LIBTORCH_ROOT "${_first}" CACHE PATH "The torch folder of the wheel that scripts/bootstrap installs")
endif()

if(EXISTS ${LIBTORCH_ROOT}/version.py)
  file(STRINGS ${LIBTORCH_ROOT}/version.py _version REGEX "^__version__ = ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorch_VERSION "${_version}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LIBTORCH_ROOT LibTorch_VERSION VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "run scripts/bootstrap, which installs it")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  foreach(_name torch_cpu c10)
    add_library(LibTorch::${_name} SHARED IMPORTED)
    set_target_properties(LibTorch::${_name} PROPERTIES IMPORTED_LOCATION ${LIBTORCH_ROOT}/lib/lib${_name}.so)
  endforeach()
  add_library(LibTorch::cpu INTERFACE IMPORTED)
  target_include_directories(LibTorch::cpu SYSTEM INTERFACE
    ${LIBTORCH_ROOT}/include ${LIBTORCH_ROOT}/include/torch/csrc/api/include)
  # The wheel brings fmt's headers, which win over the system's, and no library of that version to link.
  target_compile_definitions(LibTorch::cpu INTERFACE FMT_HEADER_ONLY)
  target_link_libraries(LibTorch::cpu INTERFACE LibTorch::torch_cpu LibTorch::c10)
  # The wheel's libraries find their own neighbours by RPATH; the linker need not.
  target_link_options(LibTorch::cpu INTERFACE -Wl,--allow-shlib-undefined)
endif()
