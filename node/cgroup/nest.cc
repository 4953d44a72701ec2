// Groups below a leaf for single commands, which end together with all that they started.
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/cgroup/tree.h"

namespace cluster::node {
// The v2 tree wherever there is one; on machines of v1 alone the freezer's.
const CgroupTree::Root& CgroupTree::LifeCycleRoot() const {
  for (const Root& root : roots_) {
    if (root.v2 || HoldsController(root.controllers, "freezer")) return root;
  }
  return roots_.front();
}

absl::StatusOr<CgroupGroup> CgroupTree::MakeNest(const std::string& uid, const std::string& leaf,
                                                 const std::string& prefix) {
  // Refuses what cannot name a group.
  ASSIGN_OR_RETURN(const CgroupGroup above, FindLeaf(uid, leaf));
  const Root& root = LifeCycleRoot();
  const std::string within = above.path().substr(parent_.size() + 1);
  for (;;) {
    const std::string name = absl::StrCat(within, "/", prefix, "-", ++nests_);
    if (::mkdirat(root.directory.get(), name.c_str(), 0755) != 0) {
      if (errno == EEXIST) continue;  // of an agent before this one
      return ErrnoStatus("make cgroup", name);
    }
    ASSIGN_OR_RETURN(UniqueFd directory, OpenAt(root.directory.get(), name, kOpenGroup));
    std::vector<CgroupGroup::Member> members;
    members.push_back({root.v2, root.controllers, std::move(directory)});
    return CgroupGroup(absl::StrCat(parent_, "/", name), std::move(members));
  }
}

absl::Status CgroupTree::RemoveNest(const CgroupGroup& nest) {
  const std::string name = nest.path().substr(parent_.size() + 1);
  if (::unlinkat(LifeCycleRoot().directory.get(), name.c_str(), AT_REMOVEDIR) == 0) {
    return absl::OkStatus();
  }
  return errno == ENOENT ? absl::OkStatus() : ErrnoStatus("remove cgroup", nest.path());
}

absl::Status CgroupTree::RemoveNests(const std::string& uid, const std::string& leaf,
                                     const std::string& prefix, absl::Duration patience) {
  ASSIGN_OR_RETURN(const CgroupGroup above, FindLeaf(uid, leaf));
  const Root& root = LifeCycleRoot();
  const std::string within = above.path().substr(parent_.size() + 1);
  std::error_code error;
  std::filesystem::directory_iterator at(absl::StrCat(root.mount_point, above.path()), error);
  for (const std::filesystem::directory_iterator end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!at->is_directory(error) || !absl::StartsWith(name, absl::StrCat(prefix, "-"))) continue;
    const std::string path = absl::StrCat(within, "/", name);
    auto directory = OpenAt(root.directory.get(), path, kOpenGroup);
    if (absl::IsNotFound(directory.status())) continue;
    RETURN_IF_ERROR(directory.status());
    std::vector<CgroupGroup::Member> members;
    members.push_back({root.v2, root.controllers, *std::move(directory)});
    const CgroupGroup nest(absl::StrCat(parent_, "/", path), std::move(members));
    RETURN_IF_ERROR(nest.Kill());
    RETURN_IF_ERROR(nest.AwaitEmpty(patience));
    RETURN_IF_ERROR(RemoveNest(nest));
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
