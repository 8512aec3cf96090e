# SPDX-License-Identifier: MIT
# cmake -D INPUT=file -D OUTPUT=file.cpp -D HEADER=its/header.h -D NAMESPACE=a::b -D NAME=name -P embed.cmake: the bytes of a file
# as the definitions of `name` and `name_size` that the header declares.
file(READ ${INPUT} bytes HEX)
string(LENGTH "${bytes}" size)
math(EXPR size "${size} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT}
  "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n"
  "alignas(8) const unsigned char ${NAME}[] = {${bytes}};\n"
  "const std::size_t ${NAME}_size = ${size};\n"
  "}  // namespace ${NAMESPACE}\n")
