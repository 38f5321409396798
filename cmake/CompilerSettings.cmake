# What every C++ target of the project is compiled with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
# What -O3 adds pays in the engine's loops alone, which ask for it.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# -Wrestrict: GCC 12 reports string concatenation falsely (its bug 105651).
add_compile_options(-Wall -Wextra -Werror -Wno-missing-field-initializers -Wno-restrict)

# GCC 12 begins to collect its garbage at 128 MB, which is a tenth of the time of a build. Below 1 GB it need not.
set(without_collection "")
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  set(without_collection --param=ggc-min-heapsize=1048576)
endif()
add_compile_options(${without_collection})

if(RFT_SANITIZE)
  add_compile_options(-fsanitize=${RFT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${RFT_SANITIZE})
endif()

# Both tools only save time; the build is the same without them.
find_program(CCACHE ccache)
if(CCACHE)
  # The two sloppiness flags are what ccache asks for where precompiled headers are used.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${CMAKE_SOURCE_DIR}/cmake/cached_compiler ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD AND NOT RFT_SANITIZE)
  add_link_options(-fuse-ld=mold)
endif()
