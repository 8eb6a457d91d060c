# cmake -DDIR=explain -DOUT=Explanations.inc -P EmbedExplanations.cmake
# One `{"E0101", R"(...)"},` per file, in the order of the codes.
file(GLOB files ${DIR}/[EW]*.md)
list(SORT files)
set(text "")
foreach(file ${files})
  get_filename_component(code ${file} NAME_WE)
  file(READ ${file} markdown)
  string(APPEND text "{\"${code}\", R\"explain(${markdown})explain\"},\n")
endforeach()
file(WRITE ${OUT} "${text}")
