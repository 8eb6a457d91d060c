# Writes the files IN (separated by commas, PLACE/NAME.nn below this folder) as rows of a table, {name,
# what is shown, text}, to OUT. Texts are raw string literals in pieces, since compilers limit the
# length of one.
string(REPLACE "," ";" files "${IN}")
set(result "")
foreach(file ${files})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${CMAKE_CURRENT_LIST_DIR}/${file} text)
  string(LENGTH "${text}" length)
  string(APPEND result "{\"${name}\", \"${file}\",\n")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 8000 piece)
    string(APPEND result "R\"nn(${piece})nn\"\n")
    math(EXPR at "${at} + 8000")
  endwhile()
  string(APPEND result "},\n")
endforeach()
file(WRITE ${OUT} "${result}")
