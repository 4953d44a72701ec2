#include "proto/schema/yaml_message.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cluster {
namespace {

constexpr size_t kShown = 64;

struct Translation {
  absl::string_view yaml_cpp;
  absl::string_view sentence;
};

// The left side is what yaml-cpp 0.7 says (include/yaml-cpp/exceptions.h), or how that begins.
constexpr Translation kTranslations[] = {
    {"end of map not found",
     "this line does not fit into the map around it; check its indentation and that the key ends "
     "in "
     "\": \""},
    {"end of sequence not found",
     "this line does not fit into the list around it; check its indentation and that items start "
     "with \"- \""},
    {"end of map flow not found", "a { is not closed, or a comma is missing before this"},
    {"end of sequence flow not found", "a [ is not closed, or a comma is missing before this"},
    {"illegal map value",
     "a \":\" cannot stand here; quote the text if the colon belongs to it, or check the "
     "indentation"},
    {"illegal map key", "a key cannot start here; check the indentation"},
    {"illegal block entry", "a list item cannot start here; put \"- \" on a line of its own"},
    {"illegal flow end", "this bracket closes nothing; remove it or quote the text"},
    {"illegal EOF in scalar", "the text ends inside of quotes; close them"},
    {"illegal document indicator in scalar", "the text ends inside of quotes; close them"},
    {"illegal tab when looking for indentation", "a tab is used for indentation; use spaces"},
    {"illegal character found while scanning alias", "this character cannot stand in an alias"},
    {"illegal character found while scanning anchor", "this character cannot stand in an anchor"},
    {"alias not found after *",
     "an alias needs its name after the *; quote the text if it is no alias"},
    {"anchor not found after &",
     "an anchor needs its name after the &; quote the text if it is no anchor"},
    {"the referenced anchor is not defined", "this alias names no anchor above it"},
    {"cannot assign multiple tags", "one value cannot have two tags"},
    {"cannot assign multiple anchors", "one value cannot have two anchors"},
    {"unexpected character in block scalar", "nothing may follow | or > on its line"},
    {"cannot set zero indentation", "the indentation of a block of text is 1 to 9"},
    {"invalid unicode",
     "this escape names no character; write the character itself instead of a surrogate pair"},
    {"bad character found while scanning hex", "this escape wants hexadecimal digits"},
    {"unknown escape character", "double quotes know no such escape; write \\\\ for a backslash"},
    {"unknown token", "no value can start with this character; quote the text"},
    {"bad file", "lists and maps are nested too deep; flatten them"},
};

bool LineIndentsWithTab(absl::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  const size_t before = offset == 0 ? text.npos : text.rfind('\n', offset - 1);
  const size_t start = before == text.npos ? 0 : before + 1;
  const size_t first = text.find_first_not_of(" \t", start);
  return text.substr(start, std::min(first, text.size()) - start).find('\t') != text.npos;
}

}  // namespace

std::string YamlMessage(absl::string_view message, absl::string_view text, size_t offset) {
  if (LineIndentsWithTab(text, offset)) {
    return "not valid YAML: the line is indented with a tab; use spaces";
  }
  for (const Translation& translation : kTranslations) {
    if (absl::StartsWith(message, translation.yaml_cpp)) {
      return absl::StrCat("not valid YAML: ", translation.sentence);
    }
  }
  return absl::StrCat("not valid YAML: ", message);
}

std::string ShowText(absl::string_view text) {
  if (text.size() <= kShown) return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
  size_t end = kShown;
  // Never in the middle of a character.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text.substr(0, end)), "...\"");
}

}  // namespace cluster
