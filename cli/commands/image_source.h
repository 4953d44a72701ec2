// The bytes of an image archive, from a file or from a folder that is packed on the way.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cluster::cli {

// Hands the archive over in chunks of at most 1 MiB until `consume` returns false (Cancelled). A
// file goes as it is; a folder must be an OCI layout and goes as a tar of it, in the order of names
// and without owners and times, so that the same folder always gives the same bytes; "-" is
// standard input.
absl::Status ReadImage(const std::string& path,
                       const std::function<bool(absl::string_view)>& consume);

}  // namespace cluster::cli
