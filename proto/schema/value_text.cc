#include "proto/schema/value_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "proto/schema/yaml_message.h"

namespace cluster {
namespace {

constexpr size_t kLongestPath = 300;

std::string DescribeScalar(const YamlNode& node) {
  switch (node.Resolve().type) {
    case PlainScalar::Type::kNull:
      return "nothing";
    case PlainScalar::Type::kBool:
      return absl::StrCat("the bool ", node.text);
    case PlainScalar::Type::kInt:
    case PlainScalar::Type::kFloat:
      return absl::StrCat("the number ", node.text);
    case PlainScalar::Type::kString:
      break;
  }
  // Quotes may be all that is wrong.
  const bool only_quoted =
      !node.plain && ResolvePlain(node.text).type != PlainScalar::Type::kString;
  return absl::StrCat(only_quoted ? "the text " : "", ShowText(node.text));
}

}  // namespace

std::string DescribeValue(const YamlNode& node) {
  switch (node.type) {
    case YamlNode::Type::kNull:
      return "nothing";
    case YamlNode::Type::kList:
      return "a list";
    case YamlNode::Type::kMap:
      return "a map";
    case YamlNode::Type::kScalar:
      break;
  }
  return DescribeScalar(node);
}

std::string ShowPath(absl::string_view path) {
  if (path.empty()) return "the document";
  if (path.size() <= kLongestPath) return absl::Utf8SafeCEscape(path);
  size_t end = kLongestPath;
  while (end > 0 && (static_cast<unsigned char>(path[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(absl::Utf8SafeCEscape(path.substr(0, end)), "...");
}

std::string QuotedStart(absl::string_view text) {
  return absl::StrCat("\"", text.substr(0, 64), text.size() > 64 ? "..." : "", "\"");
}

}  // namespace cluster
