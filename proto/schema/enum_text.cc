#include "proto/schema/enum_text.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"

#include "cluster/v1/options.pb.h"

namespace cluster {
namespace {

// Longer words are never a slip of the keyboard, and the distance costs their product.
constexpr size_t kLongestWord = 64;

// Letters added, left out, replaced, or swapped with their neighbour.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> before_last(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

}  // namespace

absl::string_view EnumText(const google::protobuf::EnumValueDescriptor& value) {
  return value.options().GetExtension(v1::text);
}

const google::protobuf::EnumValueDescriptor* FindEnumText(
    const google::protobuf::EnumDescriptor& type, absl::string_view text) {
  if (text.empty()) return nullptr;
  for (int i = 0; i < type.value_count(); ++i) {
    if (EnumText(*type.value(i)) == text) return type.value(i);
  }
  return nullptr;
}

std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> words;
  for (int i = 0; i < type.value_count(); ++i) {
    const absl::string_view text = EnumText(*type.value(i));
    if (!text.empty()) words.emplace_back(text);
  }
  return words;
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kLongestWord) return "";
  const std::string lower = absl::AsciiStrToLower(word);
  std::string best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(lower, absl::AsciiStrToLower(candidate));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace cluster
