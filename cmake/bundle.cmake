# SPDX-License-Identifier: MIT
# cmake -D INPUT=file.cjs -D MODULE=file.js -D NAME=its/name -D OUTPUT=file.cjs -P bundle.cmake: one file of a CommonJS file and the
# module that it requires.
file(READ ${INPUT} text)
file(READ ${MODULE} module)
string(FIND "${text}" "require('${NAME}')" found)
if(found EQUAL -1)
  message(FATAL_ERROR "${INPUT} does not require '${NAME}'")
endif()
string(REPLACE "require('${NAME}')" "((module) => {\n${module}\nreturn module.exports;\n})({})" text "${text}")
file(WRITE ${OUTPUT} "${text}")
