#include "node/volume/volume_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "node/volume/projection.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

HostPathCheck CheckOf(v1::HostPathType type) {
  switch (type) {
    case v1::HOST_PATH_TYPE_DIRECTORY_OR_CREATE:
      return HostPathCheck::kDirectoryOrCreate;
    case v1::HOST_PATH_TYPE_DIRECTORY:
      return HostPathCheck::kDirectory;
    case v1::HOST_PATH_TYPE_FILE_OR_CREATE:
      return HostPathCheck::kFileOrCreate;
    case v1::HOST_PATH_TYPE_FILE:
      return HostPathCheck::kFile;
    case v1::HOST_PATH_TYPE_SOCKET:
      return HostPathCheck::kSocket;
    case v1::HOST_PATH_TYPE_CHAR_DEVICE:
      return HostPathCheck::kCharDevice;
    case v1::HOST_PATH_TYPE_BLOCK_DEVICE:
      return HostPathCheck::kBlockDevice;
    case v1::HOST_PATH_TYPE_UNSPECIFIED:
    case v1::HostPathType_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::HostPathType_INT_MAX_SENTINEL_DO_NOT_USE_:
      return HostPathCheck::kAnything;
  }
  return HostPathCheck::kAnything;
}

const char* NameOf(HostPathCheck check) {
  switch (check) {
    case HostPathCheck::kAnything:
      return "anything";
    case HostPathCheck::kDirectory:
      return "directory";
    case HostPathCheck::kDirectoryOrCreate:
      return "directory-or-create";
    case HostPathCheck::kFile:
      return "file";
    case HostPathCheck::kFileOrCreate:
      return "file-or-create";
    case HostPathCheck::kSocket:
      return "socket";
    case HostPathCheck::kCharDevice:
      return "char-device";
    case HostPathCheck::kBlockDevice:
      return "block-device";
  }
  return "?";
}

const char* NameOf(VolumeKind kind) {
  switch (kind) {
    case VolumeKind::kDisk:
      return "disk";
    case VolumeKind::kMemory:
      return "memory";
    case VolumeKind::kFiles:
      return "files";
    case VolumeKind::kHostPath:
      return "host-path";
    case VolumeKind::kClaim:
      return "claim";
  }
  return "?";
}

MountPropagation PropagationOf(v1::MountPropagation propagation) {
  if (propagation == v1::MOUNT_PROPAGATION_HOST_TO_CONTAINER) {
    return MountPropagation::kHostToContainer;
  }
  return propagation == v1::MOUNT_PROPAGATION_BIDIRECTIONAL ? MountPropagation::kBidirectional
                                                            : MountPropagation::kPrivate;
}

absl::Status PlanEmptyDir(const v1::EmptyDirVolumeSource& source, VolumeSpec* volume) {
  volume->kind =
      source.medium() == v1::STORAGE_MEDIUM_MEMORY ? VolumeKind::kMemory : VolumeKind::kDisk;
  if (source.size_limit().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(volume->size_limit, QuantityBytes(source.size_limit()));
  return absl::OkStatus();
}

absl::Status PlanClaim(const v1::Assignment& assignment, const NodeContext& context,
                       const std::string& name, VolumeSpec* volume) {
  const v1::PersistentVolumeClaim* claim = FindClaim(assignment, name);
  if (claim == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("PersistentVolumeClaim \"", name, "\" not found in namespace \"",
                     assignment.pod().metadata().namespace_(), "\"; create it"));
  }
  const std::string& node = claim->status().node_name();
  if (node.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("PersistentVolumeClaim \"", name, "\" is not bound to a node yet"));
  }
  if (node != context.node_name) {
    return absl::FailedPreconditionError(
        absl::StrCat("the data of PersistentVolumeClaim \"", name, "\" is on ", node,
                     ", and this is ", context.node_name, "; the pod can only run there"));
  }
  volume->kind = VolumeKind::kClaim;
  volume->source = claim->metadata().uid();
  const auto& requests = claim->spec().resources().requests();
  const auto size = requests.find("storage");
  if (size == requests.end()) return absl::OkStatus();
  ASSIGN_OR_RETURN(volume->size_limit, QuantityBytes(size->second));
  return absl::OkStatus();
}

absl::Status PlanVolume(const v1::Assignment& assignment, const NodeContext& context,
                        const v1::Volume& source, VolumeSpec* volume) {
  if (source.has_host_path()) {
    volume->kind = VolumeKind::kHostPath;
    volume->source = source.host_path().path();
    volume->check = CheckOf(source.host_path().type());
    return absl::OkStatus();
  }
  if (source.has_persistent_volume_claim()) {
    return PlanClaim(assignment, context, source.persistent_volume_claim().claim_name(), volume);
  }
  if (HasFiles(source)) {
    volume->kind = VolumeKind::kFiles;
    ASSIGN_OR_RETURN(volume->files, PlanFiles(assignment, context, source));
    return absl::OkStatus();
  }
  return PlanEmptyDir(source.empty_dir(), volume);
}

// "logs//web/" is "logs/web"; "." is the volume itself.
std::string CleanPath(absl::string_view path) {
  std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  parts.erase(std::remove(parts.begin(), parts.end(), "."), parts.end());
  return absl::StrJoin(parts, "/");
}

const v1::Volume* FindVolume(const v1::PodSpec& spec, const std::string& name) {
  for (const v1::Volume& volume : spec.volumes()) {
    if (volume.name() == name) return &volume;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::vector<VolumeSpec>> PlanVolumes(const v1::Assignment& assignment,
                                                    const NodeContext& context) {
  std::vector<VolumeSpec> volumes;
  const v1::PodSpec& spec = assignment.pod().spec();
  const v1::PodSecurityContext& security = spec.security_context();
  for (const v1::Volume& source : spec.volumes()) {
    VolumeSpec volume;
    volume.name = source.name();
    const absl::Status planned = PlanVolume(assignment, context, source, &volume);
    if (!planned.ok()) {
      return Annotate(planned, absl::StrCat("volume \"", source.name(), "\""));
    }
    if (security.has_fs_group() && volume.kind != VolumeKind::kHostPath) {
      volume.group = static_cast<uint32_t>(security.fs_group());
      volume.group_only_on_mismatch =
          security.fs_group_change_policy() == v1::FS_GROUP_CHANGE_POLICY_ON_ROOT_MISMATCH;
    }
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

absl::StatusOr<std::vector<VolumeBind>> PlanBinds(
    const v1::PodSpec& spec, const VolumeMounts& mounts,
    const std::map<std::string, std::string>& variables) {
  std::vector<VolumeBind> binds;
  for (const v1::VolumeMount& mount : mounts) {
    VolumeBind bind;
    bind.volume = mount.name();
    bind.target = mount.mount_path();
    while (bind.target.size() > 1 && bind.target.back() == '/') bind.target.pop_back();
    const v1::Volume* volume = FindVolume(spec, mount.name());
    bind.read_only =
        mount.read_only() || (volume != nullptr && volume->persistent_volume_claim().read_only());
    bind.recursive_read_only = mount.recursive_read_only() == v1::RECURSIVE_READ_ONLY_ENABLED ||
                               mount.recursive_read_only() == v1::RECURSIVE_READ_ONLY_IF_POSSIBLE;
    bind.propagation = PropagationOf(mount.mount_propagation());
    bind.sub_path = CleanPath(mount.sub_path());
    if (!mount.sub_path_expr().empty()) {
      auto expanded = ExpandSubPath(mount.sub_path_expr(), variables);
      if (!expanded.ok()) {
        return Annotate(expanded.status(), absl::StrCat("volume \"", mount.name(), "\""));
      }
      bind.sub_path = *std::move(expanded);
    }
    binds.push_back(std::move(bind));
  }
  return binds;
}

std::string Describe(const std::vector<VolumeSpec>& volumes) {
  std::string text;
  for (const VolumeSpec& volume : volumes) {
    absl::StrAppend(&text, NameOf(volume.kind), " ", volume.name);
    if (!volume.source.empty()) absl::StrAppend(&text, " ", volume.source);
    if (volume.kind == VolumeKind::kHostPath) absl::StrAppend(&text, " ", NameOf(volume.check));
    if (volume.size_limit > 0) absl::StrAppend(&text, " size=", volume.size_limit);
    if (volume.group.has_value()) absl::StrAppend(&text, " group=", *volume.group);
    if (volume.group_only_on_mismatch) absl::StrAppend(&text, " on-mismatch");
    text += "\n";
    for (const VolumeFile& file : volume.files) {
      absl::StrAppendFormat(&text, "  %04o %s %d\n", file.mode, file.path, file.content.size());
    }
  }
  return text;
}

std::string Describe(const std::vector<VolumeBind>& binds) {
  std::string text;
  for (const VolumeBind& bind : binds) {
    absl::StrAppend(&text, bind.target, " <- ", bind.volume, bind.sub_path.empty() ? "" : "/",
                    bind.sub_path, bind.read_only ? " ro" : "",
                    bind.recursive_read_only ? " recursively" : "");
    if (bind.propagation == MountPropagation::kHostToContainer) text += " slave";
    if (bind.propagation == MountPropagation::kBidirectional) text += " shared";
    text += "\n";
  }
  return text;
}

std::string ContentsOf(const std::vector<VolumeSpec>& volumes) {
  std::string text;
  for (const VolumeSpec& volume : volumes) {
    if (volume.kind != VolumeKind::kFiles) continue;
    absl::StrAppend(&text, volume.name, "\n");
    for (const VolumeFile& file : volume.files) {
      absl::StrAppend(&text, file.path.size(), ":", file.path, " ", file.mode, " ",
                      file.content.size(), ":", file.content);
    }
  }
  return text;
}

}  // namespace cluster::node
