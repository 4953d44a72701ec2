// Makes the files of one layer below a directory, whatever the paths say: each path is opened from
// the top by openat2(2) with RESOLVE_BENEATH, the last part is never followed, and what the image's
// own symbolic links lead to is only entered as long as it stays inside.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/unique_handle.h"

namespace cluster::node {

// A path inside the layer, taken apart. Never holds "..", ".", an empty part or a leading slash.
class LayerPath {
 public:
  // InvalidArgument for a path that is absolute, holds "..", or is too long or too deep. The top
  // itself ("./") has no parts.
  static absl::StatusOr<LayerPath> Parse(absl::string_view path);

  bool IsTop() const { return parts_.empty(); }
  const std::string& name() const { return parts_.back(); }
  std::string Parent() const;
  std::string Text() const;
  const std::vector<std::string>& parts() const { return parts_; }

 private:
  std::vector<std::string> parts_;
};

struct Attributes {
  mode_t mode = 0755;  // permissions, setuid, setgid and sticky
  uid_t uid = 0;
  gid_t gid = 0;
  std::optional<timespec> mtime;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// One thread. InvalidArgument when the layer is at fault, other codes when the disk or the kernel
// is.
class LayerTree {
 public:
  // `root` must outlive the tree.
  explicit LayerTree(int root) : root_(root) {}

  // Each replaces what this layer put there before, except that a directory stays.
  absl::Status AddDirectory(const LayerPath& path, const Attributes& attributes);
  // The file, open for writing; its attributes are set by Finish.
  absl::StatusOr<UniqueFd> AddFile(const LayerPath& path);
  absl::Status AddSymlink(const LayerPath& path, const std::string& target,
                          const Attributes& attributes);
  absl::Status AddHardLink(const LayerPath& path, const LayerPath& target);
  absl::Status AddFifo(const LayerPath& path, const Attributes& attributes);
  // Hides what lower layers have at this path. What this layer itself has there stays.
  absl::Status AddWhiteout(const LayerPath& path);
  // Hides what lower layers have inside this directory.
  absl::Status MakeOpaque(const LayerPath& directory);

  static absl::Status Finish(int fd, const Attributes& attributes);
  // Sets the directories' times, which making their content has moved.
  absl::Status FinishDirectories();

  // Everything made so far, directories that no entry named included.
  int64_t made() const { return made_; }

 private:
  absl::StatusOr<int> Parent(const LayerPath& path);
  absl::StatusOr<UniqueFd> OpenDirectory(const std::string& path);
  absl::StatusOr<UniqueFd> MakeParents(const std::vector<std::string>& parts, size_t count);
  // Makes room for a new entry. True when a whiteout stood there.
  absl::StatusOr<bool> ClearFor(int parent, const LayerPath& path, bool for_directory);

  const int root_;
  std::string parent_path_;  // of parent_, to open a directory once for all its files
  UniqueFd parent_;
  std::vector<std::pair<std::string, timespec>> directory_times_;
  int64_t made_ = 0;
};

}  // namespace cluster::node
