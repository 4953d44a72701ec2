// Signals as manifests and images name them.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace cluster {

// The number of "SIGTERM", "TERM", "15", "SIGRTMIN+3"; nothing for what is no signal.
std::optional<int> SignalNumber(absl::string_view text);

}  // namespace cluster
