// Names of capabilities, with or without "CAP_". capabilities(7)
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

// "NET_ADMIN" or "CAP_NET_ADMIN", in any case of letters, to its number.
std::optional<int> CapabilityByName(absl::string_view name);

// "CAP_NET_ADMIN" of its number; "" behind the last one.
std::string CapabilityName(int number);

// All that this program knows (41 since Linux 5.9).
constexpr int kCapabilityCount = 41;
constexpr uint64_t kAllCapabilities = (uint64_t{1} << kCapabilityCount) - 1;

}  // namespace cluster
