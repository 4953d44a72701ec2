// How two texts differ, line by line, as diff(1) -u shows it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster::cli {

// "" where they are equal. A text of no bytes stands for a file that is not there (/dev/null).
// The shortest edit by Myers ("An O(ND) Difference Algorithm and Its Variations", 1986), with three
// lines of context; texts that have next to nothing in common are shown as one replaced by the
// other.
std::string UnifiedDiff(absl::string_view before, absl::string_view after,
                        absl::string_view before_name, absl::string_view after_name);

}  // namespace cluster::cli
