// Builds a container's file system in its own mount namespace and makes it "/". Runs in the
// container's process, as the root of its user namespace. What comes from the host was opened
// before (sources.h).
//
// Nothing is mounted anywhere else, so there is nothing to take down: the mounts go with the
// namespace.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/cgroup/layout.h"
#include "node/oci/config.h"
#include "node/oci/sources.h"

namespace cluster::oci {

struct RootInputs {
  const Config* config;
  HostSources* sources;
  const node::CgroupLayout* layout;
  std::string cgroup;  // the container's, below every mount point
  // Called before the first mount that shows cgroups: the process enters its groups, and its cgroup
  // namespace, so that they are what it sees.
  std::function<absl::Status()> enter_cgroups;
  bool no_pivot = false;
};

class RootBuilder {
 public:
  explicit RootBuilder(const RootInputs& inputs)
      : inputs_(inputs), config_(*inputs.config), root_(inputs.sources->root.get()) {}

  // Attaches the root, makes mounts and devices. The process' own "/" is still the host's.
  absl::Status Build();
  // Makes it "/"; the old root is gone (with no_pivot it is only out of reach).
  absl::Status Enter();
  // Read-only and masked paths, read-only mounts that had to be written to until now.
  absl::Status Protect();

 private:
  absl::Status MakeMount(const Mount& mount, MountSource* source);
  absl::StatusOr<UniqueFd> MakeFilesystem(const Mount& mount, const MountOptions& options);
  absl::StatusOr<UniqueFd> ConfigureFilesystem(const Mount& mount, const MountOptions& options);
  absl::StatusOr<UniqueFd> OpenTarget(const std::string& path, const Mount& mount,
                                      const MountSource& source);
  absl::Status CheckProc(const std::string& path, int target, int tree) const;
  absl::Status Remount(const std::string& path, const Mount& mount, const MountOptions& options);
  absl::Status MakeSymlink(const std::string& path, const std::string& target);
  absl::Status MakeDevices();
  absl::Status MakeDevice(const Device& device, int dev);
  absl::Status MakeLinks();
  bool MakesOwnDevices() const;
  absl::Status MaskPath(const std::string& path);
  absl::Status ProtectPath(const std::string& path);
  absl::Status HideSystemMounts() const;

  const RootInputs& inputs_;
  const Config& config_;
  const int root_;
  bool null_is_mounted_ = false;
  UniqueFd empty_;  // an empty read-only tmpfs, once a directory was masked
  std::vector<UniqueFd> read_only_at_last_;
};

}  // namespace cluster::oci
