# Writes OUTPUT, a C++ source that holds the files NAMES of folder ROOT as string literals.
string(CONCAT text "// Generated from codegen/device by EmbedHeaders.cmake.\n"
  "#include \"codegen/cuda/DeviceHeaders.h\"\n\n"
  "static const nnc::codegen::DeviceHeader Headers[] = {\n")
foreach(name ${NAMES})
  file(READ ${ROOT}/${name} content)
  string(APPEND text "    {\"${name}\", R\"__nnc__(${content})__nnc__\"},\n")
endforeach()
string(APPEND text "};\n\nstd::span<const nnc::codegen::DeviceHeader> nnc::codegen::deviceHeaders() {\n"
  "  return Headers;\n}\n")
file(WRITE ${OUTPUT} "${text}")
