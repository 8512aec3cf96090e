# cmake -D INPUT=file -D OUTPUT=file.cpp -P embed.cmake: the bytes of a file as the definitions that dispatch_program.h declares.
file(READ ${INPUT} bytes HEX)
string(LENGTH "${bytes}" size)
math(EXPR size "${size} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT}
  "#include \"kernel/dispatch_program.h\"\n\nnamespace muster::kernel {\n"
  "alignas(8) const unsigned char dispatch_program[] = {${bytes}};\n"
  "const std::size_t dispatch_program_size = ${size};\n"
  "}  // namespace muster::kernel\n")
