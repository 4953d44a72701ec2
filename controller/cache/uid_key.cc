#include "controller/cache/uid_key.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace cluster {
namespace {

constexpr size_t kLength = 36;

bool IsHyphenAt(size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

UidKey::UidKey(absl::string_view uid) {
  if (uid.empty()) return;
  uint64_t words[2] = {0, 0};
  bool canonical = uid.size() == kLength;
  for (size_t i = 0, digits = 0; canonical && i < kLength; ++i) {
    if (IsHyphenAt(i)) {
      canonical = uid[i] == '-';
      continue;
    }
    const int digit = DigitOf(uid[i]);
    canonical = digit >= 0;
    uint64_t& word = words[digits++ / 16];
    word = word << 4 | static_cast<uint64_t>(digit & 0xf);
  }
  // All zeros would look like none.
  if (canonical && (words[0] | words[1]) != 0) {
    high_ = words[0];
    low_ = words[1];
  } else {
    other_ = std::make_unique<const std::string>(uid);
  }
}

std::string UidKey::Text() const {
  if (other_ != nullptr) return *other_;
  if (empty()) return "";
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high_ >> 32, high_ >> 16 & 0xffff,
                         high_ & 0xffff, low_ >> 48, low_ & 0xffffffffffff);
}

std::strong_ordering operator<=>(const UidKey& a, const UidKey& b) {
  if (a.other_ != nullptr || b.other_ != nullptr) {
    const int order = a.Text().compare(b.Text());
    return order <=> 0;
  }
  if (a.high_ != b.high_) return a.high_ <=> b.high_;
  return a.low_ <=> b.low_;
}

}  // namespace cluster
