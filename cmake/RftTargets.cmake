# The kinds of target and test that the project is made of.

# rft_library(NAME SOURCES ... LINKS ...): one folder of daemon/ as a static library. LINKS are the
# folders and libraries it may include from: the direction of the includes is enforced by what is linked
# here, since every header is found through the target that owns it.
#
# All of daemon/ shares one include root, so tests/layering checks the direction of its #includes against
# the LINKS given here.
function(rft_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/daemon)
  target_link_libraries(${name} PUBLIC ${ARG_LINKS})
  # Half of a file's compile time is the standard library's headers and nlohmann-json: parsed once, for all.
  if(name STREQUAL rft_base)
    target_precompile_headers(rft_base PRIVATE ${CMAKE_SOURCE_DIR}/daemon/precompiled.h)
  elseif("rft_base" IN_LIST ARG_LINKS)
    target_precompile_headers(${name} REUSE_FROM rft_base)
  endif()
endfunction()

# rft_command_line(FILE): a program's command line is read once, and CLI11's templates take long to optimise.
function(rft_command_line file)
  set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-Og>)
endfunction()

# rft_test(FOLDER LINKS ... PROPERTIES ... PRECOMPILED_BY TARGET): every *_test.cpp of tests/FOLDER as one
# GoogleTest program FOLDER_test, whose tests have these CTest properties. PRECOMPILED_BY: the library whose
# precompiled headers it takes instead of those of the tests.
function(rft_test folder)
  cmake_parse_arguments(ARG "" "PRECOMPILED_BY" "LINKS;PROPERTIES" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/*_test.cpp)
  add_executable(${name}_test ${sources})
  target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${name}_test PRIVATE
    RFT_TEST_DATA_DIR="${CMAKE_SOURCE_DIR}/tests/data" RFT_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  target_link_libraries(${name}_test PRIVATE ${ARG_LINKS} GTest::gtest_main GTest::gmock)
  # Tests are compiled more often than they run: as little optimised as their precompiled headers let them be.
  target_compile_options(${name}_test PRIVATE $<$<CONFIG:Release>:$<IF:$<BOOL:${ARG_PRECOMPILED_BY}>,-Og,-O0>>)
  if(ARG_PRECOMPILED_BY)
    target_precompile_headers(${name}_test REUSE_FROM ${ARG_PRECOMPILED_BY})
  elseif(name STREQUAL base)
    target_precompile_headers(base_test PRIVATE ${CMAKE_SOURCE_DIR}/tests/precompiled.h)
  else()
    target_precompile_headers(${name}_test REUSE_FROM base_test)
  endif()
  gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300 ${ARG_PROPERTIES})
endfunction()

# rft_python_test(NAME SCRIPT ARGUMENTS...): a Python program against the Python peers of its field, in the
# environment that `scripts/bootstrap --tests` makes; without it the test is skipped.
function(rft_python_test name)
  if(DEFINED ENV{RFTD_CACHE})
    set(cache $ENV{RFTD_CACHE})
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(cache $ENV{XDG_CACHE_HOME}/rftd)
  else()
    set(cache $ENV{HOME}/.cache/rftd)
  endif()
  add_test(NAME ${name} COMMAND sh -c
    "[ -x \"$0\" ] || { echo 'run scripts/bootstrap --tests first'; exit 77; }; exec \"$0\" \"$@\""
    ${cache}/test-env/bin/python ${ARGN})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
endfunction()
