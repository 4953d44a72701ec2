#include "cli/output/describe.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "cli/output/duration.h"
#include "cli/output/rows.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/kinds.h"
#include "proto/schema/scalars.h"

namespace cluster::cli {
namespace {

// Bytes only; what a secret holds is never printed.
void DescribeSecret(const v1::Secret& secret, Description& text) {
  text.Field(0, "Type", secret.type());
  text.Section(0, "Data");
  const std::map<std::string, std::string> sorted(secret.data().begin(), secret.data().end());
  for (const auto& [key, value] : sorted) {
    text.Field(1, key, absl::StrCat(value.size(), " bytes"));
  }
}

void DescribeConfigMap(const v1::ConfigMap& map, Description& text) {
  text.Section(0, "Data");
  const std::map<std::string, std::string> sorted(map.data().begin(), map.data().end());
  for (const auto& [key, value] : sorted) {
    text.Line(0, absl::StrCat(key, ":"));
    text.Line(0, "----");
    text.Text(value);
    text.Line(0, "");
  }
  if (map.binary_data().empty()) return;
  text.Section(0, "BinaryData");
  const std::map<std::string, std::string> binary(map.binary_data().begin(),
                                                  map.binary_data().end());
  for (const auto& [key, value] : binary) {
    text.Field(1, key, absl::StrCat(value.size(), " bytes"));
  }
}

void DescribeMeta(const v1::Object& object, Description& text) {
  const v1::ObjectMeta& meta = Meta(object);
  text.Field(0, "Name", meta.name());
  if (KindOf(object).namespaced) text.Field(0, "Namespace", meta.namespace_());
  text.List(0, "Labels", KeyValueLines(meta.labels(), "="));
  text.List(0, "Annotations", KeyValueLines(meta.annotations(), ": "));
  text.Field(0, "Created", TimeText(meta.creation_timestamp()));
  if (const v1::OwnerReference* owner = ControllerOf(meta); owner != nullptr) {
    text.Field(0, "Controlled By", absl::StrCat(owner->kind(), "/", owner->name()));
  }
  if (meta.has_deletion_timestamp()) {
    text.Field(0, "Terminating", absl::StrCat("grace ends ", TimeText(meta.deletion_timestamp())));
  }
}

void DescribeEvents(std::vector<v1::Event> events, absl::Time now, Description& text) {
  if (events.empty()) return text.Field(0, "Events", "<none>");
  std::stable_sort(events.begin(), events.end(), [](const v1::Event& a, const v1::Event& b) {
    return EventTime(a) < EventTime(b);
  });
  std::vector<Cells> rows = {{"Type", "Reason", "Age", "From", "Message"},
                             {"----", "------", "---", "----", "-------"}};
  for (const v1::Event& event : events) {
    std::string source = event.source().component();
    if (!event.source().host().empty()) absl::StrAppend(&source, ", ", event.source().host());
    rows.push_back({event.type(), event.reason(), LastSeen(event, now), source, event.message()});
  }
  text.Section(0, "Events");
  text.Rows(1, rows);
}

void DescribeOwn(const v1::Object& object, const Related& related, absl::Time now,
                 Description& text) {
  switch (object.object_case()) {
    case v1::Object::kPod:
      DescribePod(object.pod(), now, text);
      if (related.why.has_value()) DescribePlacement(*related.why, text);
      return;
    case v1::Object::kDeployment:
      return DescribeDeployment(object.deployment(), related, now, text);
    case v1::Object::kReplicaSet:
      return DescribeReplicaSet(object.replica_set(), related, text);
    case v1::Object::kConfigMap:
      return DescribeConfigMap(object.config_map(), text);
    case v1::Object::kSecret:
      return DescribeSecret(object.secret(), text);
    case v1::Object::kNamespace:
      return text.Field(0, "Status", object.namespace_().status().phase());
    case v1::Object::kNode:
      return DescribeNode(object.node(), related, now, text);
    case v1::Object::kEvent:
      text.Field(0, "Object", ReferenceText(object.event().involved_object()));
      text.Field(0, "Type", object.event().type());
      text.Field(0, "Reason", object.event().reason());
      text.Field(0, "Message", object.event().message());
      return text.Field(0, "Last Seen", LastSeen(object.event(), now));
    case v1::Object::kPersistentVolumeClaim:
      return DescribeClaim(object.persistent_volume_claim(), related, now, text);
    case v1::Object::kPodDisruptionBudget:
      return DescribeBudget(object.pod_disruption_budget(), now, text);
    case v1::Object::kPriorityClass:
      return DescribePriorityClass(object.priority_class(), text);
    case v1::Object::kJob:
      return DescribeJob(object.job(), now, text);
    case v1::Object::kCronJob:
      return DescribeCronJob(object.cron_job(), text);
    case v1::Object::kLimitRange:
      return DescribeLimitRange(object.limit_range(), text);
    case v1::Object::kResourceQuota:
      return DescribeQuota(object.resource_quota(), text);
    case v1::Object::kStatefulSet:
      return DescribeStatefulSet(object.stateful_set(), related, now, text);
    case v1::Object::kDaemonSet:
      return DescribeDaemonSet(object.daemon_set(), related, now, text);
    case v1::Object::kControllerRevision:
      text.Field(0, "Revision", absl::StrCat(object.controller_revision().revision()));
      return DescribePodTemplate(object.controller_revision().data(), 0, text);
    case v1::Object::kHorizontalPodAutoscaler:
      return DescribeAutoscaler(object.horizontal_pod_autoscaler(), now, text);
    case v1::Object::kService:
      return DescribeService(object.service(), related, text);
    case v1::Object::OBJECT_NOT_SET:
      return;
  }
}

}  // namespace

std::string Describe(const v1::Object& object, const Related& related, absl::Time now) {
  Description text;
  DescribeMeta(object, text);
  DescribeOwn(object, related, now, text);
  if (object.object_case() != v1::Object::kEvent) DescribeEvents(related.events, now, text);
  return text.ToString();
}

std::vector<std::string> KeyValueLines(
    const google::protobuf::Map<std::string, std::string>& entries, absl::string_view separator) {
  const std::map<std::string, std::string> sorted(entries.begin(), entries.end());
  std::vector<std::string> lines;
  for (const auto& [key, value] : sorted) lines.push_back(absl::StrCat(key, separator, value));
  return lines;
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "<unknown>";
  google::protobuf::Timestamp whole;
  whole.set_seconds(time.seconds());
  return FormatTimestamp(whole);
}

void DescribeConditions(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions,
                        absl::Time now, Description& text) {
  if (conditions.empty()) return;
  std::vector<Cells> rows = {{"Type", "Status", "Since", "Reason", "Message"},
                             {"----", "------", "-----", "------", "-------"}};
  for (const v1::Condition& condition : conditions) {
    rows.push_back({condition.type(), std::string(EnumText(condition.status())),
                    Age(condition.last_transition_time(), now), condition.reason(),
                    condition.message()});
  }
  text.Section(0, "Conditions");
  text.Rows(1, rows);
}

}  // namespace cluster::cli
