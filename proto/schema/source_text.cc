#include "proto/schema/source_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cluster {
namespace {

constexpr size_t kStride = 256;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Length of the UTF-8 character at `at`, 0 when it is none (truncated, overlong, surrogate, too
// large).
size_t Utf8Length(absl::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

constexpr size_t kPairLength = 12;  // \\ud83d\\ude00

// The code unit of "\\uXXXX" at the start of `text`; 0 when there is none.
unsigned CodeUnit(absl::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return 0;
  unsigned unit = 0;
  for (const char c : text.substr(2, 4)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return 0;
    const int digit = absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10;
    unit = unit * 16 + static_cast<unsigned>(digit);
  }
  return unit;
}

bool TakeSurrogatePair(absl::string_view text, unsigned* code) {
  const unsigned high = CodeUnit(text);
  if (high < 0xD800 || high > 0xDBFF) return false;
  const unsigned low = CodeUnit(text.substr(6));
  if (low < 0xDC00 || low > 0xDFFF) return false;
  *code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  return true;
}

// Of a character beyond U+FFFF.
void AppendUtf8(unsigned code, std::string* out) {
  out->push_back(static_cast<char>(0xF0 | (code >> 18)));
  out->push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
  out->push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
  out->push_back(static_cast<char>(0x80 | (code & 0x3F)));
}

bool IsBlankOrComment(absl::string_view line) {
  const size_t first = line.find_first_not_of(" \t\r");
  return first == line.npos || line[first] == '#';
}

bool IsMarker(absl::string_view line, absl::string_view marker) {
  if (!absl::StartsWith(line, marker)) return false;
  const absl::string_view rest = line.substr(marker.size());
  // "... text" is left to the parser, which refuses it.
  if (marker == "...") return rest.empty() || (rest[0] != '.' && IsBlankOrComment(rest));
  return rest.empty() || absl::StrContains(" \t\r", rest[0]);
}

}  // namespace

TextPositions::TextPositions(absl::string_view text) : text_(text) {
  marks_.reserve(text.size() / kStride + 1);
  Mark mark{1, 1};
  for (size_t i = 0; i < text.size(); ++i) {
    if (i % kStride == 0) marks_.push_back(mark);
    if (text[i] == '\n') {
      mark = {mark.line + 1, 1};
    } else if (!IsContinuation(text[i])) {
      ++mark.column;
    }
  }
  if (text.size() % kStride == 0) marks_.push_back(mark);
}

Position TextPositions::At(size_t offset) const {
  offset = std::min(offset, text_.size());
  const size_t start = offset / kStride;
  Position position{marks_[start].line, marks_[start].column};
  for (size_t i = start * kStride; i < offset; ++i) {
    if (text_[i] == '\n') {
      position = {position.line + 1, 1};
    } else if (!IsContinuation(text_[i])) {
      ++position.column;
    }
  }
  return position;
}

std::optional<TextFault> FindTextFault(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text, i);
    if (length == 0) return TextFault{i, "this is not UTF-8 text; save the file as UTF-8"};
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) {
      return TextFault{i, "a carriage return stands alone; end lines with a line feed"};
    }
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
      return TextFault{i, absl::StrFormat("control character 0x%02x; write it as \"\\x%02x\" in "
                                          "double quotes",
                                          byte, byte)};
    }
    i += length;
  }
  return std::nullopt;
}

std::string MendUtf8(absl::string_view text) {
  std::string mended;
  mended.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text, i);
    if (length == 0) mended.push_back('\xC2');
    mended.append(text.data() + i, std::max<size_t>(length, 1));
    i += std::max<size_t>(length, 1);
  }
  return mended;
}

JsonText::JsonText(absl::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || (text[first] != '{' && text[first] != '[')) {
    text_ = std::string(text);
    return;
  }
  text_.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    unsigned code = 0;
    if (TakeSurrogatePair(text.substr(i), &code)) {
      AppendUtf8(code, &text_);
      i += kPairLength;
      shifts_.push_back({text_.size(), i - text_.size()});
      continue;
    }
    // An escaped backslash starts no escape.
    const size_t length = text[i] == '\\' ? std::min<size_t>(2, text.size() - i) : 1;
    text_.append(text.data() + i, length);
    i += length;
  }
}

size_t JsonText::Original(size_t offset) const {
  const auto after =
      std::upper_bound(shifts_.begin(), shifts_.end(), offset,
                       [](size_t wanted, const Shift& shift) { return wanted < shift.from; });
  return after == shifts_.begin() ? offset : offset + std::prev(after)->by;
}

std::vector<DocumentRange> SplitDocuments(absl::string_view text) {
  std::vector<DocumentRange> documents;
  size_t begin = 0;
  bool open = false;  // something that belongs to a document was seen since `begin`
  for (size_t line_start = 0; line_start < text.size();) {
    const size_t line_feed = std::min(text.find('\n', line_start), text.size());
    const absl::string_view line = text.substr(line_start, line_feed - line_start);
    const size_t next = line_feed + 1;
    if (IsMarker(line, "---") || IsMarker(line, "...")) {
      if (open) documents.push_back({begin, line_start});
      open = line[0] == '-';
      begin = open ? line_start : next;
    } else if (!open && !IsBlankOrComment(line) && !absl::StartsWith(line, "%YAML")) {
      open = true;
      begin = line_start;
    }
    line_start = next;
  }
  if (open) documents.push_back({begin, text.size()});
  return documents;
}

}  // namespace cluster
