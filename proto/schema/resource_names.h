// The resources that containers ask for and nodes have, by name. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster {

// "hugepages-2Mi": the size of one page in bytes; nothing for any other name.
std::optional<int64_t> HugepageSize(absl::string_view resource);

// Something of somebody's own that nodes have so many of: "example.com/dongle".
bool IsExtendedResource(absl::string_view resource);

// cpu in thousandths of a core, everything else in whole units.
absl::StatusOr<int64_t> ResourceAmount(absl::string_view resource, absl::string_view quantity);
// The way back.
std::string FormatResource(absl::string_view resource, int64_t amount);

}  // namespace cluster
