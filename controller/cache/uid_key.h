// The uid of an object as tables hold it by the hundred thousand: an RFC 4122 UUID in its canonical
// form takes 16 bytes and no allocation. Any other text is kept as it is.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace cluster {

// Compares and orders as the text does.
class UidKey {
 public:
  UidKey() = default;
  explicit UidKey(absl::string_view uid);
  UidKey(const UidKey& other)
      : high_(other.high_),
        low_(other.low_),
        other_(other.other_ == nullptr ? nullptr
                                       : std::make_unique<const std::string>(*other.other_)) {}
  UidKey(UidKey&&) = default;
  UidKey& operator=(UidKey) = delete;

  bool empty() const { return high_ == 0 && low_ == 0 && other_ == nullptr; }
  std::string Text() const;

  friend bool operator==(const UidKey& a, const UidKey& b) {
    return a.high_ == b.high_ && a.low_ == b.low_ &&
           (a.other_ == nullptr ? b.other_ == nullptr
                                : b.other_ != nullptr && *a.other_ == *b.other_);
  }
  friend std::strong_ordering operator<=>(const UidKey& a, const UidKey& b);
  template <typename Hash>
  friend Hash AbslHashValue(Hash hash, const UidKey& key) {
    hash = Hash::combine(std::move(hash), key.high_, key.low_);
    return key.other_ == nullptr ? std::move(hash) : Hash::combine(std::move(hash), *key.other_);
  }

 private:
  uint64_t high_ = 0;
  uint64_t low_ = 0;
  std::unique_ptr<const std::string> other_;  // no UUID
};

}  // namespace cluster
