// Lookups below a container's root. The image is hostile: everything goes through openat2(2) with
// RESOLVE_IN_ROOT and without magic links.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster::oci {

enum class Links { kFollow, kRefuse };

// O_PATH. NotFound when nothing is there.
absl::StatusOr<UniqueFd> OpenInRoot(int root, const std::string& path, Links links,
                                    uint64_t flags = 0);
// The directory, made with its parents (mode 0755) when missing.
absl::StatusOr<UniqueFd> MakeDirectoryIn(int root, const std::string& path, Links links);
// The file, made empty when missing. A dangling link in its place is replaced: where it points to
// is the image's choice.
absl::StatusOr<UniqueFd> MakeFileIn(int root, const std::string& path, Links links);

// Without "." and empty parts; ".." takes its parent away, as at the root of a file system.
std::string CleanPath(const std::string& path);
// "/a" of "/a/b", "/" of "/a".
std::string ParentOf(const std::string& path);
std::string BaseOf(const std::string& path);

}  // namespace cluster::oci
