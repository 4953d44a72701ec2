// KernelRuntime and volumes: where they are (node/volume does the rest).
#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/runtime/kernel_runtime.h"
#include "node/volume/mount_tree.h"

namespace cluster::node {
namespace {

const VolumeSpec* FindVolume(const std::vector<VolumeSpec>& volumes, const std::string& name) {
  for (const VolumeSpec& volume : volumes) {
    if (volume.name == name) return &volume;
  }
  return nullptr;
}

absl::Status CheckVolume(const VolumeSpec& volume) {
  RETURN_IF_ERROR(CheckName("volume", volume.name));
  if (volume.kind == VolumeKind::kClaim) RETURN_IF_ERROR(CheckName("claim", volume.source));
  return absl::OkStatus();
}

absl::Status CheckBind(const ContainerSpec& spec, const VolumeBind& bind) {
  RETURN_IF_ERROR(CheckUserTarget(bind.target, spec.security.privileged));
  if (!bind.volume.empty() && FindVolume(spec.pod_volumes, bind.volume) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("there is no volume \"", bind.volume, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

std::string KernelRuntime::ClaimDirectory() const { return options_.state_dir + "/claims"; }

absl::StatusOr<VolumeStore> KernelRuntime::VolumesOf(const std::string& uid,
                                                     InitClient* init) const {
  VolumePlace place;
  if (const auto first_id = DirectoryOf(uid).ReadFirstId(); first_id.has_value()) {
    place.root = {*first_id, *first_id};
    place.id_count = kIdsOfPod;
    ASSIGN_OR_RETURN(place.user_namespace, init->Fetch(init::kUserNamespaceName));
  }
  place.pod_directory = DirectoryOf(uid).state();
  place.claim_directory = ClaimDirectory();
  place.attach_directory = DirectoryOf(uid).attached_volumes();
  place.always_attach = options_.attach_volumes;
  place.fetch = [init](const std::string& name) { return init->Fetch(name); };
  place.keep = [init](const std::string& name, int fd) { return init->Keep(name, fd); };
  return VolumeStore(std::move(place));
}

absl::StatusOr<std::vector<BoundVolume>> KernelRuntime::BindVolumes(
    const ContainerSpec& spec, InitClient* init, std::vector<PlannedVolume>* planned) const {
  std::vector<BoundVolume> bound;
  if (spec.pod_volumes.empty() && spec.volumes.empty()) return bound;
  for (const VolumeSpec& volume : spec.pod_volumes) RETURN_IF_ERROR(CheckVolume(volume));
  for (const VolumeBind& bind : spec.volumes) {
    RETURN_IF_ERROR(CheckBind(spec, bind));
    planned->push_back({bind.volume.empty() ? bind.source : bind.volume, bind.target, false,
                        spec.security.privileged});
  }
  ASSIGN_OR_RETURN(const VolumeStore store, VolumesOf(spec.pod_uid, init));
  for (const size_t index : VolumeOrder(*planned)) {
    const VolumeBind& bind = spec.volumes[index];
    ASSIGN_OR_RETURN(BoundVolume one, store.Bind(bind, FindVolume(spec.pod_volumes, bind.volume),
                                                 spec.security.privileged));
    (*planned)[index].is_file = one.is_file;
    bound.push_back(std::move(one));
  }
  return bound;
}

absl::Status KernelRuntime::UpdateVolumes(const std::string& pod_uid,
                                          const std::vector<VolumeSpec>& volumes) {
  RETURN_IF_ERROR(CheckName("pod uid", pod_uid));
  auto init = Connect(pod_uid);
  if (absl::IsNotFound(init.status())) {
    return absl::NotFoundError(absl::StrCat("pod ", pod_uid, " has no sandbox"));
  }
  RETURN_IF_ERROR(init.status());
  ASSIGN_OR_RETURN(const VolumeStore store, VolumesOf(pod_uid, &*init));
  for (const VolumeSpec& volume : volumes) {
    if (volume.kind != VolumeKind::kFiles) continue;
    RETURN_IF_ERROR(CheckVolume(volume));
    RETURN_IF_ERROR(store.Make(volume));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> KernelRuntime::ListClaims() {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(ClaimDirectory(), error), end; !error && at != end;
       at.increment(error)) {
    std::string name = at->path().filename().string();
    if (CheckName("claim", name).ok()) names.push_back(std::move(name));
  }
  if (error) return ErrnoStatus(error.value(), "list", ClaimDirectory());
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status KernelRuntime::RemoveClaim(const std::string& name) {
  RETURN_IF_ERROR(CheckName("claim", name));
  return DetachAndRemoveTree(absl::StrCat(ClaimDirectory(), "/", name));
}

}  // namespace cluster::node
