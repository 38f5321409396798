include(${CMAKE_CURRENT_LIST_DIR}/rft-sdk-targets.cmake)
set(RFT_SDK_EXPORTS ${CMAKE_CURRENT_LIST_DIR}/rft-plugin.map)

# rft_add_plugin(NAME SOURCES...): the shared object NAME.so, where NAME is the name in its RFT_SCORER or
# RFT_DATASET_ADAPTER line. It exports its entry alone, and a symbol that nothing defines is an error of the
# build rather than of the first job.
function(rft_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_features(${name} PRIVATE cxx_std_17)
  target_link_libraries(${name} PRIVATE rft::sdk)
  target_link_options(${name} PRIVATE -Wl,--no-undefined -Wl,--version-script=${RFT_SDK_EXPORTS})
endfunction()
