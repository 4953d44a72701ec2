// The parts of `describe` that are about volumes of pods.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output/describe.h"

#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

std::string OptionalText(bool optional) { return optional ? ", optional" : ""; }

std::string ProjectionText(const v1::VolumeProjection& source) {
  if (source.has_config_map()) {
    return absl::StrCat("ConfigMap ", source.config_map().name(),
                        OptionalText(source.config_map().optional()));
  }
  if (source.has_secret()) {
    return absl::StrCat("Secret ", source.secret().name(),
                        OptionalText(source.secret().optional()));
  }
  return absl::StrCat("DownwardAPI (", source.downward_api().items_size(), " items)");
}

std::string VolumeText(const v1::Volume& volume) {
  if (volume.has_host_path()) {
    const absl::string_view type = EnumText(volume.host_path().type());
    return absl::StrCat("HostPath ", volume.host_path().path(), type.empty() ? "" : ", type ",
                        type);
  }
  if (volume.has_config_map()) {
    return absl::StrCat("ConfigMap ", volume.config_map().name(),
                        OptionalText(volume.config_map().optional()));
  }
  if (volume.has_secret()) {
    return absl::StrCat("Secret ", volume.secret().secret_name(),
                        OptionalText(volume.secret().optional()));
  }
  if (volume.has_downward_api()) {
    return absl::StrCat("DownwardAPI (", volume.downward_api().items_size(), " items)");
  }
  if (volume.has_projected()) {
    return absl::StrCat("Projected: ", absl::StrJoin(volume.projected().sources(), "; ",
                                                     [](std::string* out, const auto& source) {
                                                       absl::StrAppend(out, ProjectionText(source));
                                                     }));
  }
  if (volume.has_persistent_volume_claim()) {
    return absl::StrCat("PersistentVolumeClaim ", volume.persistent_volume_claim().claim_name(),
                        volume.persistent_volume_claim().read_only() ? ", read-only" : "");
  }
  const v1::EmptyDirVolumeSource& empty = volume.empty_dir();
  return absl::StrCat("EmptyDir", empty.medium() == v1::STORAGE_MEDIUM_MEMORY ? " in memory" : "",
                      empty.size_limit().empty() ? "" : ", at most ", empty.size_limit());
}

}  // namespace

std::vector<std::string> MountLines(
    const google::protobuf::RepeatedPtrField<v1::VolumeMount>& mounts) {
  std::vector<std::string> lines;
  for (const v1::VolumeMount& mount : mounts) {
    const std::string& path = mount.sub_path().empty() ? mount.sub_path_expr() : mount.sub_path();
    lines.push_back(absl::StrCat(mount.mount_path(), " from ", mount.name(),
                                 mount.read_only() ? " (ro" : " (rw",
                                 path.empty() ? "" : ", path=", path, ")"));
  }
  return lines;
}

void DescribeVolumes(const v1::PodSpec& spec, int level, Description& text) {
  if (spec.volumes().empty()) return;
  text.Section(level, "Volumes");
  for (const v1::Volume& volume : spec.volumes()) {
    text.Field(level + 1, volume.name(), VolumeText(volume));
  }
}

}  // namespace cluster::cli
