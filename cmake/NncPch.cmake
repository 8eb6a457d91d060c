# MLIR's headers as one precompiled header, which halves the time that a source with them takes.
# Its content does not depend on when it was made, so that ccache can share what is compiled with it.
add_library(nncMlirPch OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch/Empty.cpp)
nnc_options(nncMlirPch)
target_include_directories(nncMlirPch SYSTEM PUBLIC ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_link_libraries(nncMlirPch PUBLIC fmt::fmt)
target_precompile_headers(nncMlirPch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch/Mlir.h)
target_compile_options(nncMlirPch PUBLIC "SHELL:-Xclang -fno-pch-timestamp")

# nnc_precompiled(targets...): compiles their sources with it.
function(nnc_precompiled)
  foreach(target ${ARGN})
    target_precompile_headers(${target} REUSE_FROM nncMlirPch)
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    # Programs get the -fPIC of the libraries instead of -fPIE: the header is compiled once.
    get_target_property(type ${target} TYPE)
    if(type STREQUAL EXECUTABLE)
      set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${target} PRIVATE -fPIC)
    endif()
  endforeach()
endfunction()
