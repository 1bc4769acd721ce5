# Writes a file as a C++ array: cmake -DIN=page.html -DOUT=page_html.cpp -P embed.cmake
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "(................................................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT} "#include \"proxy/admin/page/html.hpp\"\n
namespace baton::admin {\n
namespace {
constexpr unsigned char bytes[] = {\n${bytes}};
}  // namespace\n
std::string_view page_html() {
  return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}\n
}  // namespace baton::admin
")
