// The text of a manifest file before YAML: is it text at all, where do its documents start, and
// which line and column is an offset. Every operation is linear in the text or better.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "proto/schema/reader.h"

namespace cluster {

// Line and column of byte offsets. The text must outlive it.
class TextPositions {
 public:
  explicit TextPositions(absl::string_view text);
  // Offsets past the end count as the end. Constant time.
  Position At(size_t offset) const;

 private:
  struct Mark {
    int line;
    int column;
  };
  absl::string_view text_;
  std::vector<Mark> marks_;  // of every kStride-th byte
};

struct TextFault {
  size_t offset = 0;
  std::string message;
};

// The first thing in the text that no manifest may hold: bytes that are not UTF-8, control
// characters (yaml-cpp takes 0x04 for the end of the input), carriage returns alone.
std::optional<TextFault> FindTextFault(absl::string_view text);

// yaml-cpp 0.7 makes a single byte out of the escapes \N (U+0085) and \_ (U+00A0). In a text that
// is UTF-8 but for those, makes them characters again.
std::string MendUtf8(absl::string_view text);

// JSON writes characters beyond U+FFFF as two escapes, \ud83d\ude00, which YAML does not know. In a
// text that starts as JSON does they are put as the characters themselves; any other stays as it
// is.
class JsonText {
 public:
  explicit JsonText(absl::string_view text);
  const std::string& text() const { return text_; }
  // The offset into the original text. Logarithmic.
  size_t Original(size_t offset) const;

 private:
  struct Shift {
    size_t from;
    size_t by;
  };
  std::string text_;
  std::vector<Shift> shifts_;
};

// One document: text[begin, end), from its "---" line on where it has one.
struct DocumentRange {
  size_t begin = 0;
  size_t end = 0;
};

// "---" or "..." at the start of a line ends a document wherever it stands, so this needs no
// parser. Directives in front of a document are left out of its range.
std::vector<DocumentRange> SplitDocuments(absl::string_view text);

}  // namespace cluster
