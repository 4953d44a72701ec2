// The parts of `describe` that are about StatefulSets and DaemonSets.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/output/describe.h"
#include "cli/output/rows.h"

#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

void DescribeClaimTemplate(const v1::PersistentVolumeClaim& claim, Description& text) {
  const v1::PersistentVolumeClaimSpec& spec = claim.spec();
  text.Field(1, "Name", claim.metadata().name());
  text.Field(1, "StorageClass", spec.storage_class_name());
  text.List(1, "Labels", KeyValueLines(claim.metadata().labels(), "="));
  text.List(1, "Annotations", KeyValueLines(claim.metadata().annotations(), "="));
  const auto storage = spec.resources().requests().find("storage");
  text.Field(1, "Capacity",
             storage == spec.resources().requests().end() ? "<default>" : storage->second);
  std::vector<std::string> modes;
  for (const int mode : spec.access_modes()) {
    modes.emplace_back(EnumText(static_cast<v1::AccessMode>(mode)));
  }
  text.Field(1, "Access Modes", absl::StrCat("[", absl::StrJoin(modes, " "), "]"));
}

}  // namespace

void DescribeStatefulSet(const v1::StatefulSet& set, const Related& related, absl::Time now,
                         Description& text) {
  const v1::StatefulSetSpec& spec = set.spec();
  text.Field(0, "Selector", SelectorText(spec.selector()));
  text.Field(0, "Replicas",
             absl::StrFormat("%d desired | %d total", spec.replicas(), set.status().replicas()));
  text.Field(0, "Update Strategy", EnumText(spec.update_strategy().type()));
  if (spec.update_strategy().has_rolling_update()) {
    const v1::StatefulSetRollingUpdate& update = spec.update_strategy().rolling_update();
    text.Field(1, "Partition", absl::StrCat(update.partition()));
    if (!update.max_unavailable().empty()) {
      text.Field(1, "MaxUnavailable", update.max_unavailable());
    }
  }
  text.Field(0, "Pods Status", PodsText(related.pods));
  DescribePodTemplate(spec.template_(), 0, text);
  if (spec.volume_claim_templates().empty()) {
    text.Field(0, "Volume Claims", "<none>");
  } else {
    text.Section(0, "Volume Claims");
    for (const v1::PersistentVolumeClaim& claim : spec.volume_claim_templates()) {
      DescribeClaimTemplate(claim, text);
    }
  }
  DescribeConditions(set.status().conditions(), now, text);
}

void DescribeDaemonSet(const v1::DaemonSet& set, const Related& related, absl::Time now,
                       Description& text) {
  const v1::DaemonSetStatus& status = set.status();
  text.Field(0, "Selector", SelectorText(set.spec().selector()));
  text.Field(0, "Node-Selector", LabelsText(set.spec().template_().spec().node_selector()));
  text.Field(0, "Desired Number of Nodes Scheduled",
             absl::StrCat(status.desired_number_scheduled()));
  text.Field(0, "Current Number of Nodes Scheduled",
             absl::StrCat(status.current_number_scheduled()));
  text.Field(0, "Number of Nodes Scheduled with Up-to-date Pods",
             absl::StrCat(status.updated_number_scheduled()));
  text.Field(0, "Number of Nodes Scheduled with Available Pods",
             absl::StrCat(status.number_available()));
  text.Field(0, "Number of Nodes Misscheduled", absl::StrCat(status.number_misscheduled()));
  text.Field(0, "Pods Status", PodsText(related.pods));
  DescribePodTemplate(set.spec().template_(), 0, text);
  DescribeConditions(status.conditions(), now, text);
}

}  // namespace cluster::cli
