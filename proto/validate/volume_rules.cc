// Volumes of a pod, and what its containers see of them.
#include "proto/validate/volume_rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "proto/schema/scalars.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/pod_rules.h"

namespace cluster {
namespace {

constexpr int kMostMode = 0777;
// Each is handed over as a descriptor, all of them in one message.
constexpr int kMostMounts = 200;

bool HasDots(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

std::string PathInVolumeProblem(absl::string_view path) {
  if (path.empty()) return "a path is missing; name the file";
  if (absl::StartsWith(path, "/")) {
    return absl::StrCat(Quote(path), " is absolute; it lies in the volume, begin it without /");
  }
  if (HasDots(path)) return absl::StrCat(Quote(path), " leads out with \"..\"; remove that");
  if (absl::StartsWith(path, "..")) {
    return absl::StrCat(Quote(path), " begins with \"..\"; choose another name");
  }
  return "";
}

class VolumeCheck {
 public:
  VolumeCheck(const v1::PodSpec& spec, Path path, Findings* findings)
      : spec_(spec), path_(std::move(path)), findings_(findings) {}

  void Check() {
    for (int i = 0; i < spec_.volumes_size(); ++i) {
      CheckVolume(spec_.volumes(i), (path_ / "volumes").At(i));
    }
    for (int i = 0; i < spec_.containers_size(); ++i) {
      CheckMounts(spec_.containers(i), (path_ / "containers").At(i));
    }
    for (int i = 0; i < spec_.init_containers_size(); ++i) {
      CheckMounts(spec_.init_containers(i), (path_ / "initContainers").At(i));
    }
    for (int i = 0; i < spec_.ephemeral_containers_size(); ++i) {
      CheckMounts(spec_.ephemeral_containers(i), (path_ / "ephemeralContainers").At(i));
    }
  }

 private:
  using Items = google::protobuf::RepeatedPtrField<v1::KeyToPath>;
  using DownwardItems = google::protobuf::RepeatedPtrField<v1::DownwardApiVolumeFile>;

  void CheckVolume(const v1::Volume& volume, const Path& path) {
    findings_->AddProblem(path / "name", volume.name().empty()
                                             ? std::string("a name is missing; name the volume")
                                             : DnsLabelProblem(volume.name()));
    if (!volume.name().empty() && !names_.insert(volume.name()).second) {
      findings_->Add(path / "name", absl::StrCat(Quote(volume.name()),
                                                 " is the name of another volume of the pod; "
                                                 "choose another"));
    }
    const int sources = volume.has_empty_dir() + volume.has_host_path() + volume.has_config_map() +
                        volume.has_secret() + volume.has_downward_api() + volume.has_projected() +
                        volume.has_persistent_volume_claim();
    if (sources > 1) {
      findings_->Add(
          path, absl::StrCat("a volume has one source, this has ", sources, "; remove the others"));
      return;
    }
    CheckSource(volume, path);
  }

  void CheckSource(const v1::Volume& volume, const Path& path) {
    if (volume.has_empty_dir()) CheckEmptyDir(volume.empty_dir(), path / "emptyDir");
    if (volume.has_host_path()) CheckHostPath(volume.host_path(), path / "hostPath");
    if (volume.has_config_map()) {
      const v1::ConfigMapVolumeSource& map = volume.config_map();
      CheckObject(map.name(), path / "configMap", "name");
      CheckItems(map.items(), path / "configMap");
      CheckMode(map.default_mode(), path / "configMap" / "defaultMode");
    }
    if (volume.has_secret()) {
      const v1::SecretVolumeSource& secret = volume.secret();
      CheckObject(secret.secret_name(), path / "secret", "secretName");
      CheckItems(secret.items(), path / "secret");
      CheckMode(secret.default_mode(), path / "secret" / "defaultMode");
    }
    if (volume.has_downward_api()) {
      CheckDownward(volume.downward_api().items(), path / "downwardAPI");
      CheckMode(volume.downward_api().default_mode(), path / "downwardAPI" / "defaultMode");
    }
    if (volume.has_projected()) CheckProjected(volume.projected(), path / "projected");
    if (volume.has_persistent_volume_claim()) {
      CheckObject(volume.persistent_volume_claim().claim_name(), path / "persistentVolumeClaim",
                  "claimName");
    }
  }

  void CheckEmptyDir(const v1::EmptyDirVolumeSource& source, const Path& path) {
    if (source.size_limit().empty()) return;
    const auto bytes = QuantityBytes(source.size_limit());
    if (!bytes.ok()) {
      findings_->Add(path / "sizeLimit", std::string(bytes.status().message()));
    } else if (*bytes < 0) {
      findings_->Add(path / "sizeLimit",
                     absl::StrCat(Quote(source.size_limit()), " is negative; use 0 or more"));
    }
  }

  void CheckHostPath(const v1::HostPathVolumeSource& source, const Path& path) {
    if (!absl::StartsWith(source.path(), "/")) {
      findings_->Add(path / "path",
                     absl::StrCat(Quote(source.path()), " is not absolute; begin it with /"));
    } else if (HasDots(source.path())) {
      findings_->Add(path / "path",
                     absl::StrCat(Quote(source.path()), " holds \"..\"; write where it leads"));
    }
  }

  void CheckObject(const std::string& name, const Path& path, const char* field) {
    findings_->AddProblem(path / field, name.empty()
                                            ? std::string("a name is missing; say which object")
                                            : DnsSubdomainProblem(name));
  }

  void CheckMode(int32_t mode, const Path& path) {
    if (mode >= 0 && mode <= kMostMode) return;
    findings_->Add(path, absl::StrCat(mode, " is no file mode; use 0 to 511, or 0000 to 0777"));
  }

  void CheckItems(const Items& items, const Path& path) {
    for (int i = 0; i < items.size(); ++i) {
      const Path at = (path / "items").At(i);
      findings_->AddProblem(at / "key", items[i].key().empty()
                                            ? std::string("a key is missing; say which one")
                                            : DataKeyProblem(items[i].key()));
      findings_->AddProblem(at / "path", PathInVolumeProblem(items[i].path()));
      CheckMode(items[i].mode(), at / "mode");
    }
  }

  void CheckDownward(const DownwardItems& items, const Path& path) {
    for (int i = 0; i < items.size(); ++i) {
      const Path at = (path / "items").At(i);
      const v1::DownwardApiVolumeFile& item = items[i];
      findings_->AddProblem(at / "path", PathInVolumeProblem(item.path()));
      CheckMode(item.mode(), at / "mode");
      if (item.has_field_ref() == item.has_resource_field_ref()) {
        findings_->Add(at, "exactly one source is needed; set fieldRef or resourceFieldRef");
      } else if (item.has_field_ref()) {
        CheckVolumeFieldRef(item.field_ref(), at / "fieldRef", findings_);
      } else {
        CheckResourceRef(item.resource_field_ref(), &spec_, at / "resourceFieldRef", findings_);
      }
    }
  }

  void CheckProjected(const v1::ProjectedVolumeSource& source, const Path& path) {
    CheckMode(source.default_mode(), path / "defaultMode");
    std::set<std::string> paths;
    const auto once = [&](const std::string& file, const Path& at) {
      if (file.empty() || paths.insert(file).second) return;
      findings_->Add(
          at / "path",
          absl::StrCat(Quote(file), " comes from another source too; choose another path"));
    };
    for (int i = 0; i < source.sources_size(); ++i) {
      const v1::VolumeProjection& part = source.sources(i);
      const Path at = (path / "sources").At(i);
      if (part.has_config_map() + part.has_secret() + part.has_downward_api() != 1) {
        findings_->Add(at, "exactly one source is needed; set configMap, secret or downwardAPI");
        continue;
      }
      if (part.has_downward_api()) {
        const DownwardItems& items = part.downward_api().items();
        CheckDownward(items, at / "downwardAPI");
        for (int k = 0; k < items.size(); ++k) {
          once(items[k].path(), (at / "downwardAPI" / "items").At(k));
        }
        continue;
      }
      const bool secret = part.has_secret();
      const Path inner = at / (secret ? "secret" : "configMap");
      const Items& items = secret ? part.secret().items() : part.config_map().items();
      CheckObject(secret ? part.secret().name() : part.config_map().name(), inner, "name");
      CheckItems(items, inner);
      for (int k = 0; k < items.size(); ++k) once(items[k].path(), (inner / "items").At(k));
    }
  }

  template <typename Container>
  void CheckMounts(const Container& container, const Path& path) {
    const bool privileged = container.security_context().privileged();
    std::set<std::string> targets;
    for (int i = 0; i < container.volume_mounts_size(); ++i) {
      const v1::VolumeMount& mount = container.volume_mounts(i);
      const Path at = (path / "volumeMounts").At(i);
      CheckMount(mount, privileged, at);
      std::string target = mount.mount_path();
      while (target.size() > 1 && target.back() == '/') target.pop_back();
      if (!target.empty() && !targets.insert(target).second) {
        findings_->Add(
            at / "mountPath",
            absl::StrCat(Quote(target),
                         " is the path of another mount of the container; choose another"));
      }
    }
    if (container.volume_mounts_size() > kMostMounts) {
      findings_->Add(path / "volumeMounts",
                     absl::StrCat("there are ", container.volume_mounts_size(),
                                  " mounts; a container has at most ", kMostMounts));
    }
  }

  void CheckMount(const v1::VolumeMount& mount, bool privileged, const Path& path) {
    if (!names_.contains(mount.name())) {
      findings_->Add(path / "name",
                     absl::StrCat("the pod has no volume ", Quote(mount.name()),
                                  "; add it to spec.volumes, or name one that is there"));
    }
    findings_->AddProblem(path / "mountPath", MountPathProblem(mount.mount_path(), privileged));
    if (!mount.sub_path().empty()) {
      findings_->AddProblem(path / "subPath", PathInVolumeProblem(mount.sub_path()));
    }
    if (!mount.sub_path_expr().empty()) {
      findings_->AddProblem(path / "subPathExpr", PathInVolumeProblem(mount.sub_path_expr()));
      if (!mount.sub_path().empty()) {
        findings_->Add(path / "subPathExpr",
                       "subPath and subPathExpr exclude each other; remove one of them");
      }
    }
    if (mount.mount_propagation() == v1::MOUNT_PROPAGATION_BIDIRECTIONAL && !privileged) {
      findings_->Add(path / "mountPropagation",
                     "Bidirectional reaches the node's mounts, so only privileged containers may; "
                     "use HostToContainer, or set securityContext.privileged");
    }
    CheckRecursion(mount, path);
  }

  void CheckRecursion(const v1::VolumeMount& mount, const Path& path) {
    const bool recursive = mount.recursive_read_only() == v1::RECURSIVE_READ_ONLY_ENABLED ||
                           mount.recursive_read_only() == v1::RECURSIVE_READ_ONLY_IF_POSSIBLE;
    if (!recursive) return;
    if (!mount.read_only()) {
      findings_->Add(path / "recursiveReadOnly",
                     "this only means something for a read-only mount; set readOnly: true");
    }
    if (mount.mount_propagation() == v1::MOUNT_PROPAGATION_HOST_TO_CONTAINER ||
        mount.mount_propagation() == v1::MOUNT_PROPAGATION_BIDIRECTIONAL) {
      findings_->Add(path / "recursiveReadOnly",
                     "what is mounted later would be writable; set mountPropagation to None");
    }
  }

  const v1::PodSpec& spec_;
  const Path path_;
  Findings* findings_;
  std::set<std::string> names_;
};

}  // namespace

std::string MountPathProblem(absl::string_view path, bool privileged) {
  if (path.empty()) return "a path is missing; say where the container sees the volume";
  if (!absl::StartsWith(path, "/")) {
    return absl::StrCat(Quote(path), " is not absolute; begin it with /");
  }
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (path == "/") return "a volume cannot be the container's root; choose a directory";
  if (absl::StrContains(path, ':') || absl::StrContains(path, absl::string_view("\0", 1))) {
    return absl::StrCat(Quote(path), " holds ':' or NUL; choose another path");
  }
  for (absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
    if (!part.empty() && part != "." && part != "..") continue;
    return absl::StrCat(Quote(path), " holds \"..\", \".\" or an empty part; write it without");
  }
  const auto in = [path](absl::string_view system) {
    return path == system || absl::StartsWith(path, absl::StrCat(system, "/"));
  };
  if (in("/dev/shm")) return "";
  if (in("/proc") || (!privileged && (in("/sys") || in("/dev")))) {
    return absl::StrCat(Quote(path),
                        " would hide what the system keeps there; choose a path outside "
                        "of /proc, /sys and /dev");
  }
  return "";
}

void CheckVolumes(const v1::PodSpec& spec, const Path& path, Findings* findings) {
  VolumeCheck(spec, path, findings).Check();
}

}  // namespace cluster
