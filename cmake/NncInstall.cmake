# `cmake --install`: tools, libraries, public headers and the package that find_package(nnc) finds.
#
# Headers keep the tree of the sources below include/nnc, where <nnc/Engine.h> and <nnc/Compile.h>
# are the entrances; a user's compiler gets both folders as include paths.
include(CMakePackageConfigHelpers)

# The entrances, in the build folder too, so that the examples build in place.
foreach(header runtime/Engine.h runtime/nnc.h tools/compiler/Compile.h)
  get_filename_component(name ${header} NAME)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/include/nnc/${name} CONTENT "#include \"${header}\"\n")
  list(APPEND NNC_ENTRANCES ${CMAKE_BINARY_DIR}/include/nnc/${name})
endforeach()

set(NNC_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/nnc)
set(NNC_HEADERS runtime/Engine.h runtime/Tensor.h runtime/nnc.h runtime/format/DType.h
  runtime/format/Result.h)
set(NNC_LIBRARIES nncFormat nncCudaDriver nncRuntime)
set(NNC_TOOLS nnc-run nnc-train)
if(NNC_COMPILER)
  list(APPEND NNC_HEADERS tools/compiler/Compile.h)
  list(APPEND NNC_LIBRARIES nncSyntax nncIR nncFrontend nncPasses nncCpuTarget nncCudaText
    nncCudaTarget nncCodegen nncCompiler)
  list(APPEND NNC_TOOLS nnc nnc-opt)
endif()

foreach(header ${NNC_HEADERS})
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nnc/${folder})
endforeach()
install(FILES ${NNC_ENTRANCES} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nnc)
foreach(library ${NNC_LIBRARIES})
  if(TARGET ${library})
    install(TARGETS ${library} EXPORT nncTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    target_include_directories(${library} INTERFACE
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/nnc>)
  endif()
endforeach()
foreach(tool ${NNC_TOOLS})
  if(TARGET ${tool})
    install(TARGETS ${tool} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
# In the build folder the same names and includes as for users.
function(nnc_export target name)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>)
  add_library(nnc::${name} ALIAS ${target})
endfunction()
nnc_export(nncRuntime runtime)
if(NNC_COMPILER)
  nnc_export(nncCompiler compiler)
endif()
install(EXPORT nncTargets NAMESPACE nnc:: DESTINATION ${NNC_PACKAGE_DIR})
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/nncConfig.cmake.in
  ${CMAKE_BINARY_DIR}/nncConfig.cmake INSTALL_DESTINATION ${NNC_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/nncConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/nncConfig.cmake ${CMAKE_BINARY_DIR}/nncConfigVersion.cmake
  DESTINATION ${NNC_PACKAGE_DIR})
