#include "node/oci/cgroup_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "base/unique_handle.h"
#include "node/oci/paths.h"
#include "node/oci/sources.h"

namespace cluster::oci {
namespace {

absl::StatusOr<UniqueFd> MakeFilesystem(const char* type, const std::vector<std::string>& words,
                                        uint64_t attributes) {
  const UniqueFd fs(::fsopen(type, FSOPEN_CLOEXEC));
  if (!fs) return ErrnoStatus("make a file system of type", type);
  ::fsconfig(fs.get(), FSCONFIG_SET_STRING, "source", type, 0);
  for (const std::string& word : words) {
    const std::pair<std::string, std::string> option =
        absl::StrSplit(word, absl::MaxSplits('=', 1));
    const bool flag = option.second.empty();
    if (::fsconfig(fs.get(), flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, option.first.c_str(),
                   flag ? nullptr : option.second.c_str(), 0) != 0) {
      return ErrnoStatus("set option", word);
    }
  }
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return ErrnoStatus("make a file system of type", type);
  }
  UniqueFd made(::fsmount(fs.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)));
  if (!made) return ErrnoStatus("mount a file system of type", type);
  return made;
}

absl::StatusOr<UniqueFd> BindGroup(const std::string& path, uint64_t attributes) {
  UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) return ErrnoStatus("bind", path);
  mount_attr wanted{};
  wanted.attr_set = attributes;
  wanted.propagation = MS_PRIVATE;
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &wanted, sizeof wanted) != 0) {
    return ErrnoStatus("set the attributes of", path);
  }
  return tree;
}

class CgroupMounter {
 public:
  explicit CgroupMounter(const CgroupMountInputs& inputs)
      : inputs_(inputs), namespaced_(inputs.config->linux_.Has(CLONE_NEWCGROUP)) {}

  absl::Status MountV2() {
    ASSIGN_OR_RETURN(const UniqueFd tree, Unified());
    ASSIGN_OR_RETURN(const UniqueFd target,
                     MakeDirectoryIn(inputs_.root, inputs_.path, Links::kRefuse));
    return AttachTree(tree.get(), target.get(), inputs_.path);
  }

  absl::Status MountAll() {
    const UniqueFd fs(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    if (!fs || ::fsconfig(fs.get(), FSCONFIG_SET_STRING, "source", "cgroup", 0) != 0 ||
        ::fsconfig(fs.get(), FSCONFIG_SET_STRING, "mode", "0755", 0) != 0 ||
        ::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
      return ErrnoStatus("make", "the tmpfs of cgroups");
    }
    const uint64_t writable = inputs_.attributes & ~uint64_t{MOUNT_ATTR_RDONLY};
    base_.reset(::fsmount(fs.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(writable)));
    if (!base_) return ErrnoStatus("mount", "the tmpfs of cgroups");
    ASSIGN_OR_RETURN(const UniqueFd target,
                     MakeDirectoryIn(inputs_.root, inputs_.path, Links::kRefuse));
    RETURN_IF_ERROR(AttachTree(base_.get(), target.get(), inputs_.path));
    for (const node::V1Hierarchy& hierarchy : inputs_.layout->v1) {
      RETURN_IF_ERROR(MountHierarchy(hierarchy.mount_point, hierarchy.controllers));
      RETURN_IF_ERROR(LinkControllers(hierarchy));
    }
    for (const node::NamedHierarchy& hierarchy : inputs_.layout->named) {
      RETURN_IF_ERROR(
          MountHierarchy(hierarchy.mount_point, {absl::StrCat("name=", hierarchy.name)}));
    }
    if (!inputs_.layout->v2_mount_point.empty()) {
      ASSIGN_OR_RETURN(const UniqueFd tree, Unified());
      RETURN_IF_ERROR(Put(tree.get(), BaseOf(inputs_.layout->v2_mount_point)));
    }
    mount_attr wanted{};
    wanted.attr_set = inputs_.attributes & MOUNT_ATTR_RDONLY;
    if (::mount_setattr(base_.get(), "", AT_EMPTY_PATH, &wanted, sizeof wanted) != 0) {
      return ErrnoStatus("make read-only", inputs_.path);
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<UniqueFd> Unified() const {
    if (namespaced_) return MakeFilesystem("cgroup2", {}, inputs_.attributes);
    return BindGroup(absl::StrCat(inputs_.layout->v2_mount_point, inputs_.group),
                     inputs_.attributes);
  }

  absl::Status MountHierarchy(const std::string& mount_point,
                              const std::vector<std::string>& options) {
    const std::string name = BaseOf(mount_point);
    auto tree = namespaced_
                    ? MakeFilesystem("cgroup", options, inputs_.attributes)
                    : BindGroup(absl::StrCat(mount_point, inputs_.group), inputs_.attributes);
    RETURN_IF_ERROR(Annotate(tree.status(), name));
    return Put(tree->get(), name);
  }

  // "cpu" to "cpu,cpuacct".
  absl::Status LinkControllers(const node::V1Hierarchy& hierarchy) {
    const std::string name = BaseOf(hierarchy.mount_point);
    for (const std::string& controller : hierarchy.controllers) {
      if (controller == name) continue;
      if (::symlinkat(name.c_str(), base_.get(), controller.c_str()) != 0 && errno != EEXIST) {
        return ErrnoStatus("make link", controller);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Put(int tree, const std::string& name) {
    if (::mkdirat(base_.get(), name.c_str(), 0755) != 0) return ErrnoStatus("mkdir", name);
    const UniqueFd target(
        ::openat(base_.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!target) return ErrnoStatus("open", name);
    return AttachTree(tree, target.get(), name);
  }

  const CgroupMountInputs& inputs_;
  const bool namespaced_;
  UniqueFd base_;
};

}  // namespace

absl::Status MountCgroups(const CgroupMountInputs& inputs) {
  CgroupMounter mounter(inputs);
  return inputs.layout->v1.empty() ? mounter.MountV2() : mounter.MountAll();
}

}  // namespace cluster::oci
