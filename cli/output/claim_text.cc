#include "cli/output/claim_text.h"

#include "absl/strings/str_cat.h"
#include "cli/output/describe.h"

#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

const char* ShortText(v1::AccessMode mode) {
  switch (mode) {
    case v1::ACCESS_MODE_READ_WRITE_ONCE:
      return "RWO";
    case v1::ACCESS_MODE_READ_ONLY_MANY:
      return "ROX";
    case v1::ACCESS_MODE_READ_WRITE_MANY:
      return "RWX";
    case v1::ACCESS_MODE_READ_WRITE_ONCE_POD:
      return "RWOP";
    case v1::ACCESS_MODE_UNSPECIFIED:
    case v1::AccessMode_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::AccessMode_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return "?";
}

}  // namespace

std::string ClaimStatusText(const v1::PersistentVolumeClaim& claim) {
  if (claim.metadata().has_deletion_timestamp()) return "Terminating";
  return std::string(EnumText(claim.status().phase()));
}

std::string ClaimVolumeText(const v1::PersistentVolumeClaim& claim) {
  if (claim.status().node_name().empty()) return "";
  return absl::StrCat("pvc-", claim.metadata().uid());
}

std::string ClaimCapacityText(const v1::PersistentVolumeClaim& claim) {
  const auto found = claim.status().capacity().find("storage");
  return found == claim.status().capacity().end() ? "" : found->second;
}

std::string AccessModesText(const google::protobuf::RepeatedField<int>& modes) {
  std::string text;
  for (const int mode : modes) {
    absl::StrAppend(&text, text.empty() ? "" : ",", ShortText(static_cast<v1::AccessMode>(mode)));
  }
  return text;
}

void DescribeClaim(const v1::PersistentVolumeClaim& claim, const Related& related, absl::Time now,
                   Description& text) {
  text.Field(0, "StorageClass", claim.spec().storage_class_name());
  text.Field(0, "Status", ClaimStatusText(claim));
  text.Field(0, "Volume", ClaimVolumeText(claim));
  text.Field(0, "Node", claim.status().node_name().empty() ? "<none>" : claim.status().node_name());
  const auto& finalizers = claim.metadata().finalizers();
  text.List(0, "Finalizers", {finalizers.begin(), finalizers.end()});
  text.Field(0, "Capacity", ClaimCapacityText(claim));
  text.Field(0, "Access Modes", AccessModesText(claim.status().access_modes()));
  text.Field(0, "VolumeMode", std::string(EnumText(claim.spec().volume_mode())));
  std::vector<std::string> users;
  for (const v1::Pod& pod : related.pods) users.push_back(pod.metadata().name());
  text.List(0, "Used By", users);
  if (!claim.status().conditions().empty()) {
    DescribeConditions(claim.status().conditions(), now, text);
  }
}

}  // namespace cluster::cli
