// PrintYaml: block style as kubectl prints it, with quotes wherever a YAML 1.1 or 1.2 reader could
// take a text for something else.
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

#include "proto/schema/plain_scalar.h"
#include "proto/schema/printer.h"

namespace cluster {
namespace {

// Longer keys must be written with "? ": readers look no further for the colon (YAML 1.2, 7.4.3).
constexpr size_t kLongestSimpleKey = 1000;

// 2026-01-31..., 80:80: times and base-60 numbers of YAML 1.1.
bool LooksLikeTimeOrBase60(absl::string_view text) {
  if (!absl::ascii_isdigit(text[0])) return false;
  const size_t end = text.find_first_not_of("0123456789_");
  if (end == text.npos) return false;
  return (text[end] == '-' && end == 4) || text[end] == ':';
}

// Line and paragraph separators, the byte order mark and NEL count as breaks or vanish in readers.
bool HasInvisible(absl::string_view text) {
  return absl::StrContains(text, "\u2028") || absl::StrContains(text, "\u2029") ||
         absl::StrContains(text, "\uFEFF") || absl::StrContains(text, "\u0085");
}

bool HasControl(absl::string_view text) {
  for (const char c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) return true;
  }
  return HasInvisible(text);
}

bool NeedsQuotes(absl::string_view text) {
  if (ResolvePlain(text).type != PlainScalar::Type::kString) return true;
  static constexpr absl::string_view kIndicators = "?:,[]{}#&*!|>'\"%@`=~";
  if (absl::StrContains(kIndicators, text[0]) || text == "-" || text == "<<") return true;
  if (absl::StartsWith(text, "- ") || absl::StartsWith(text, "---") ||
      absl::StartsWith(text, "...")) {
    return true;
  }
  if (text[0] == ' ' || text.back() == ' ' || text.back() == ':') return true;
  return absl::StrContains(text, ": ") || absl::StrContains(text, " #") || HasControl(text) ||
         LooksLikeTimeOrBase60(text);
}

std::string DoubleQuoted(absl::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const absl::string_view rest = text.substr(i);
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else if (absl::StartsWith(rest, "\u0085")) {
      out += "\\u0085";
      i += 1;
    } else if (absl::StartsWith(rest, "\u2028") || absl::StartsWith(rest, "\u2029")) {
      out += text[i + 2] == '\xA8' ? "\\L" : "\\P";
      i += 2;
    } else if (absl::StartsWith(rest, "\uFEFF")) {
      out += "\\uFEFF";
      i += 2;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// True where "|" keeps the text as it is with any reader.
bool FitsLiteral(absl::string_view text) {
  if (!absl::StrContains(text, '\n') || HasInvisible(text)) return false;
  if (absl::ascii_isspace(static_cast<unsigned char>(text[0]))) return false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty()) continue;
    if (line.find_first_not_of(" \t") == line.npos || line[0] == '\t') return false;
    for (const char c : line) {
      if (c != '\t' && absl::ascii_iscntrl(static_cast<unsigned char>(c))) return false;
    }
  }
  return true;
}

class Printer {
 public:
  void Value(const Json& json, size_t indent);
  // The map or list itself; its first line continues the current one where `inline_first`.
  void Map(const Json& json, size_t indent, bool inline_first);
  void List(const Json& json, size_t indent);
  std::string Take() { return std::move(out_); }

 private:
  void Indent(size_t indent) { out_.append(indent, ' '); }
  void Text(const std::string& text, size_t indent);
  void Literal(const std::string& text, size_t indent);
  void Key(const std::string& key, size_t indent);

  std::string out_;
};

void Printer::Literal(const std::string& text, size_t indent) {
  const bool keep = absl::EndsWith(text, "\n\n");
  out_ += keep ? "|+\n" : absl::EndsWith(text, "\n") ? "|\n" : "|-\n";
  absl::string_view body = text;
  if (absl::EndsWith(body, "\n")) body.remove_suffix(1);
  for (const absl::string_view line : absl::StrSplit(body, '\n')) {
    if (!line.empty()) Indent(indent);
    out_.append(line.data(), line.size());
    out_ += '\n';
  }
}

void Printer::Text(const std::string& text, size_t indent) {
  if (FitsLiteral(text)) return Literal(text, indent);
  out_ += NeedsQuotes(text) ? DoubleQuoted(text) : text;
  out_ += '\n';
}

void Printer::Key(const std::string& key, size_t indent) {
  const std::string text = NeedsQuotes(key) ? DoubleQuoted(key) : key;
  if (text.size() <= kLongestSimpleKey) {
    out_ += text + ":";
    return;
  }
  out_ += "? " + text + "\n";
  Indent(indent);
  out_ += ":";
}

// What follows "key:" or "-"; always ends the line.
void Printer::Value(const Json& json, size_t indent) {
  if (json.is_object() && !json.empty()) {
    out_ += '\n';
    Map(json, indent, false);
  } else if (json.is_array() && !json.empty()) {
    out_ += '\n';
    // As kubectl: the dash stands below the key.
    List(json, indent - 2);
  } else if (json.is_string()) {
    out_ += ' ';
    Text(json.get_ref<const std::string&>(), indent);
  } else {
    out_ += ' ' + json.dump() + '\n';
  }
}

void Printer::Map(const Json& json, size_t indent, bool inline_first) {
  for (auto it = json.begin(); it != json.end(); ++it) {
    if (!inline_first) Indent(indent);
    inline_first = false;
    Key(it.key(), indent);
    Value(it.value(), indent + 2);
  }
}

void Printer::List(const Json& json, size_t indent) {
  for (const Json& item : json) {
    Indent(indent);
    if (item.is_object() && !item.empty()) {
      out_ += "- ";
      Map(item, indent + 2, true);
    } else {
      out_ += "-";
      Value(item, indent + (item.is_array() ? 4 : 2));
    }
  }
}

}  // namespace

std::string PrintYaml(const Json& json) {
  Printer printer;
  if (json.is_object() && !json.empty()) {
    printer.Map(json, 0, false);
    return printer.Take();
  }
  if (json.is_array() && !json.empty()) {
    printer.List(json, 0);
    return printer.Take();
  }
  printer.Value(json, 0);
  return printer.Take().substr(1);
}

}  // namespace cluster
