#include "node/pod/message_text.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace cluster::node {
namespace {

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";

// Bytes of the well-formed character that `text` begins with; 0 when it begins with none. The table
// is 3-7 of the Unicode standard.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  const size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                        : first >= 0xe0 && first <= 0xef ? 3
                        : first >= 0xf0 && first <= 0xf4 ? 4
                                                         : 0;
  if (length == 0 || text.size() < length) return 0;
  const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

// "time stream F|P text": the text, with its end of line where it is whole.
std::string TextOf(absl::string_view line) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(' ', 3));
  // An empty line may end right after its tag.
  if (parts.size() < 3) return "";
  const absl::string_view text = parts.size() > 3 ? parts[3] : absl::string_view();
  return std::string(text) + (absl::StartsWith(parts[2], "F") ? "\n" : "");
}

}  // namespace

std::string ToUtf8(absl::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = CharacterLength(bytes);
    text.append(length == 0 ? kReplacement.data() : bytes.data(),
                length == 0 ? kReplacement.size() : length);
    bytes.remove_prefix(std::max<size_t>(1, length));
  }
  return text;
}

std::string CutUtf8(absl::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<uint8_t>(text[most]) & 0xc0) == 0x80) --most;
  return std::string(text.substr(0, most));
}

std::string LogTail(absl::string_view log, size_t most_lines, size_t most_bytes) {
  const std::vector<absl::string_view> lines = absl::StrSplit(log, '\n', absl::SkipEmpty());
  std::string tail;
  size_t whole = 0;
  for (auto line = lines.rbegin(); line != lines.rend() && tail.size() < most_bytes; ++line) {
    const std::string text = TextOf(*line);
    if (absl::EndsWith(text, "\n") && ++whole > most_lines) break;
    tail.insert(0, text);
  }
  if (tail.size() > most_bytes) tail.erase(0, tail.size() - most_bytes);
  return tail;
}

}  // namespace cluster::node
