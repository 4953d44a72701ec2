# One small static library per folder, sources listed; one test program per unit under test.

# cluster_unity(TARGET)   with CLUSTER_UNITY: its sources in batches of about one size
function(cluster_unity name)
  get_target_property(sources ${name} SOURCES)
  list(LENGTH sources count)
  if(NOT CLUSTER_UNITY OR count LESS 2)
    return()
  endif()
  set(batch ${CLUSTER_UNITY_BATCH})
  if(batch GREATER 0)
    math(EXPR batches "(${count} + ${batch} - 1) / ${batch}")
    math(EXPR batch "(${count} + ${batches} - 1) / ${batches}")
  endif()
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch})
endfunction()

# cluster_library(NAME SOURCES a.cc ... DEPS lib ...)
function(cluster_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} cluster_options)
  foreach(pch cluster_proto_pch cluster_pch)
    if(TARGET ${pch})
      target_precompile_headers(${name} REUSE_FROM ${pch})
      break()
    endif()
  endforeach()
  cluster_unity(${name})
endfunction()

# cluster_binary(NAME SOURCES main.cc DEPS lib ...)
function(cluster_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} cluster_options)
  cluster_unity(${name})
endfunction()

# cluster_use_jemalloc(TARGET)
# For programs whose work is messages of many small parts: with the C library's allocator they take a third more processor
# time, and give less of their memory back. Sanitizers bring their own.
function(cluster_use_jemalloc name)
  if(CLUSTER_SANITIZE)
    return()
  endif()
  find_library(JEMALLOC_LIBRARY jemalloc REQUIRED)
  target_link_libraries(${name} PRIVATE ${JEMALLOC_LIBRARY})
endfunction()

# cluster_test_sources(TARGET)   what all that stands on googletest is compiled with
function(cluster_test_sources name)
  # Its flags and definitions too: a compiler takes a precompiled header only with those it was made with.
  target_link_libraries(${name} PRIVATE cluster_test_pch)
  target_precompile_headers(${name} REUSE_FROM cluster_test_pch)
endfunction()

# cluster_test_library(NAME SOURCES a.cc ... DEPS lib ...)   what several tests share
function(cluster_test_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} cluster_options)
  cluster_test_sources(${name})
  cluster_unity(${name})
endfunction()

# cluster_test(NAME LABEL unit|property|contract|integration|root|e2e|sim SOURCES a_test.cc ... DEPS lib ... [TIMEOUT s] [SERIAL]
#              [PROGRAMS cluster-init ...]    programs that it runs
#              [THREADS n]                    processors that it keeps busy
#              [SECONDS n])                   that it takes, about: the longest begin first
# The program is NAME and so is the ctest entry. Sanitizer trees leave out what needs root, and style.
function(cluster_test name)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT;THREADS;SECONDS" "SOURCES;DEPS;ARGS;PROGRAMS" ${ARGN})
  if(CLUSTER_SANITIZE AND ARG_LABEL MATCHES "^(root|e2e|tidy)$")
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main cluster_options)
  cluster_test_sources(${name})
  cluster_unity(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  if(ARG_PROGRAMS)
    foreach(program ${ARG_PROGRAMS})
      if(TARGET ${program})
        add_dependencies(${name} ${program})
      endif()
    endforeach()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  # Only ends what hangs; a slow machine or an instrumented program is no failure.
  math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 3")
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "CLUSTER_SOURCE_DIR=${CMAKE_SOURCE_DIR};CLUSTER_BIN_DIR=${CMAKE_BINARY_DIR}/bin")
  if(ARG_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
  if(ARG_THREADS)
    set_tests_properties(${name} PROPERTIES PROCESSORS ${ARG_THREADS})
  endif()
  if(ARG_SECONDS)
    set_tests_properties(${name} PROPERTIES COST ${ARG_SECONDS})
  endif()
endfunction()
