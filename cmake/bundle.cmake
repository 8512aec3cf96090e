# SPDX-License-Identifier: MIT
# cmake -D INPUT=file.cjs -D "MODULES=dir/one.js;dir/two.js" -D FOLDER=its/dir -D OUTPUT=file.cjs -P bundle.cmake: one file of a
# CommonJS file and the modules of a folder that it requires.
file(READ ${INPUT} text)
foreach(path ${MODULES})
  file(READ ${path} module)
  get_filename_component(name ${path} NAME_WE)
  set(name ${FOLDER}/${name})
  string(FIND "${text}" "require('${name}')" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "${INPUT} does not require '${name}'")
  endif()
  string(REPLACE "require('${name}')" "((module) => {\n${module}\nreturn module.exports;\n})({})" text "${text}")
endforeach()
file(WRITE ${OUTPUT} "${text}")
