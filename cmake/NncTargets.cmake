# Helpers that every folder uses: one place for warnings, sanitizers and include paths.
set(NNC_WARNINGS -Wall -Wextra -Werror -Wno-unused-parameter)

function(nnc_options target)
  target_compile_options(${target} PRIVATE ${NNC_WARNINGS} -fno-rtti -fvisibility-inlines-hidden)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}>)
  if(NNC_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${NNC_SANITIZE} -fno-omit-frame-pointer
      -fno-sanitize=vptr,function -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${NNC_SANITIZE})
  endif()
endfunction()

# nnc_library(name SOURCES ... LINK ...): a static library of one folder.
function(nnc_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  nnc_options(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# nnc_tool(name SOURCES ... LINK ...): a program in build/<preset>/bin.
function(nnc_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  nnc_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  target_link_options(${name} PRIVATE $<$<CONFIG:Release>:-Wl,--gc-sections>)
endfunction()

# nnc_mlir_includes(target): MLIR's headers as system headers, so that its warnings are not ours.
function(nnc_mlir target)
  target_include_directories(${target} SYSTEM PUBLIC ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  separate_arguments(defs NATIVE_COMMAND "${LLVM_DEFINITIONS}")
  target_compile_definitions(${target} PUBLIC ${defs})
endfunction()

# nnc_unit_test(name SOURCES ... LINK ...): a GoogleTest program, registered with CTest by test.
function(nnc_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  nnc_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/unit)
  add_test(NAME ${name} COMMAND ${name})
endfunction()
