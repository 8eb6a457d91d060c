# LLVM and MLIR 19 from Debian. `find_package(MLIR 19)` is refused (its version file wants 19.1.7
# exactly), so any version is asked for and then checked.
find_package(MLIR REQUIRED CONFIG HINTS /usr/lib/llvm-19/lib/cmake/mlir)
if(NOT LLVM_VERSION_MAJOR EQUAL 19)
  message(FATAL_ERROR "nnc needs LLVM/MLIR 19, found ${LLVM_PACKAGE_VERSION} in ${LLVM_DIR}")
endif()
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
separate_arguments(NNC_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")
add_definitions(${NNC_LLVM_DEFINITIONS})

if(NNC_STATIC_LLVM)
  # Debian's MLIR archives name the shared library target `LLVM`. Pointing that target at a linker
  # script that groups the static archives links everything statically.
  file(GLOB NNC_LLVM_ARCHIVES ${LLVM_LIBRARY_DIR}/libLLVM*.a)
  string(REPLACE ";" " " NNC_LLVM_GROUP "${NNC_LLVM_ARCHIVES}")
  set(NNC_LLVM_SCRIPT ${CMAKE_BINARY_DIR}/libLLVM-group.ld)
  file(WRITE ${NNC_LLVM_SCRIPT} "GROUP(${NNC_LLVM_GROUP} -lz -lzstd -lpthread -ldl -lm)\n")
  foreach(config "" _RELWITHDEBINFO _RELEASE _DEBUG)
    set_target_properties(LLVM PROPERTIES IMPORTED_LOCATION${config} ${NNC_LLVM_SCRIPT}
      IMPORTED_SONAME${config} "")
  endforeach()
  # fmt has no archive in Debian: its header-only form is the portable one, with nothing to link.
  file(WRITE ${CMAKE_BINARY_DIR}/libfmt-none.ld "/* fmt is header-only in this build */\n")
  set_target_properties(fmt::fmt PROPERTIES INTERFACE_COMPILE_DEFINITIONS FMT_HEADER_ONLY=1
    IMPORTED_LOCATION_NONE ${CMAKE_BINARY_DIR}/libfmt-none.ld IMPORTED_SONAME_NONE "")
  add_link_options(-static-libstdc++ -static-libgcc)
endif()
