// Names of capabilities, with or without "CAP_". capabilities(7)
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace cluster {

// "NET_ADMIN" or "CAP_NET_ADMIN", in any case of letters, to its number.
std::optional<int> CapabilityByName(absl::string_view name);

// All that this program knows (41 since Linux 5.9).
constexpr uint64_t kAllCapabilities = (uint64_t{1} << 41) - 1;

}  // namespace cluster
