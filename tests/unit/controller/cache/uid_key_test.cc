#include "controller/cache/uid_key.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/hash/hash_testing.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

// Canonical ones, ones that nearly are, and others.
const std::vector<std::string>& Samples() {
  static const auto* const samples =
      new std::vector<std::string>{"",
                                   "a",
                                   "uid-1",
                                   "0b3b6bd9-9b5c-4a52-8b8a-3a5a3a8a0f01",
                                   "0b3b6bd9-9b5c-4a52-8b8a-3a5a3a8a0f02",
                                   "0b3b6bd9-9b5c-4a52-8b8b-3a5a3a8a0f01",
                                   "fb3b6bd9-9b5c-4a52-8b8a-3a5a3a8a0f01",
                                   "FB3B6BD9-9b5c-4a52-8b8a-3a5a3a8a0f01",
                                   "0b3b6bd99b5c-4a52-8b8a-3a5a3a8a0f01-",
                                   "0b3b6bd9-9b5c-4a52-8b8a-3a5a3a8a0f0",
                                   "0b3b6bd9-9b5c-4a52-8b8a-3a5a3a8a0f011",
                                   "0b3b6bd9-9b5c-4a52-8b8a-3a5a3a8a0g01",
                                   "00000000-0000-0000-0000-000000000000",
                                   "00000000-0000-0000-0000-000000000001",
                                   "ffffffff-ffff-ffff-ffff-ffffffffffff"};
  return *samples;
}

TEST(UidKey, IsTheTextAndOrdersAsIt) {
  for (const std::string& a : Samples()) {
    EXPECT_EQ(UidKey(a).Text(), a);
    EXPECT_EQ(UidKey(UidKey(a)).Text(), a) << "a copy";
    EXPECT_EQ(UidKey(a).empty(), a.empty());
    for (const std::string& b : Samples()) {
      EXPECT_EQ(UidKey(a) == UidKey(b), a == b) << a << " " << b;
      EXPECT_EQ(UidKey(a) < UidKey(b), a < b) << a << " " << b;
    }
  }
}

TEST(UidKey, HashesAsItCompares) {
  std::vector<UidKey> keys;
  for (const std::string& text : Samples()) keys.emplace_back(text);
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(keys));
}

}  // namespace
}  // namespace cluster
