# Compiler, linker and sanitizer settings, shared by every target of ours through cluster_options.
set(CLUSTER_SANITIZE "" CACHE STRING "Sanitizers for every target of ours, e.g. address,undefined")
option(CLUSTER_FUZZ "Build the libFuzzer targets (clang only)" OFF)
# Headers cost more than what stands below them, and together they are read once. Where this is off
# each source proves that it includes what it uses.
option(CLUSTER_UNITY "Compile the sources of a library or program some at a time" OFF)
set(CLUSTER_UNITY_BATCH 10 CACHE STRING "How many of them at most; 0 = all of a target")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(launcher ${CMAKE_SOURCE_DIR}/cmake/cached.sh ${CMAKE_SOURCE_DIR})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

find_program(MOLD_PROGRAM mold)

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
find_package(Threads REQUIRED)

add_library(cluster_options INTERFACE)
target_link_libraries(cluster_options INTERFACE Threads::Threads)
target_include_directories(cluster_options INTERFACE ${CMAKE_SOURCE_DIR})
# What is compiled does not depend on where the tree lies: another clone takes it from ccache's store.
target_compile_options(cluster_options INTERFACE -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_compile_options(cluster_options INTERFACE
  -pthread -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wswitch-enum -Werror -g1 -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # A precompiled header holds paths that begin at the root: these hold in every clone, and cached.sh
  # takes them out of the lists of dependencies.
  target_compile_options(cluster_options INTERFACE -Wthread-safety -Xclang -fno-pch-timestamp)
  if(CCACHE_PROGRAM)
    target_compile_options(cluster_options INTERFACE -working-directory=/proc/self/cwd)
  endif()
else()
  # g++ 12 sees overflows in std::string concatenation that are not there (GCC bug 105651).
  target_compile_options(cluster_options INTERFACE -fpch-preprocess -Wno-restrict -Wno-array-bounds
    -Wno-stringop-overflow)
endif()
if(MOLD_PROGRAM)
  target_link_options(cluster_options INTERFACE -fuse-ld=mold)
endif()
if(CLUSTER_SANITIZE)
  target_compile_options(cluster_options INTERFACE -fsanitize=${CLUSTER_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(cluster_options INTERFACE -fsanitize=${CLUSTER_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(cluster_options INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_compile_definitions(cluster_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()
