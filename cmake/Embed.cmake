# cmake -DINPUT=FILE -DOUTPUT=FILE.cc -DNAME=function -P Embed.cmake
# Writes a source that holds a file: absl::string_view cluster::NAME().
file(READ ${INPUT} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "((0x..,){32})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"absl/strings/string_view.h\"

namespace cluster {

absl::string_view ${NAME}() {
  static const unsigned char kBytes[] = {
${bytes}};
  return {reinterpret_cast<const char*>(kBytes), ${size}};
}

}  // namespace cluster
")
