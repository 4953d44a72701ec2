#include "cli/output/rows.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output/autoscaler_text.h"
#include "cli/output/claim_text.h"
#include "cli/output/duration.h"
#include "cli/output/job_text.h"
#include "cli/output/pod_status.h"
#include "cli/output/quota_text.h"
#include "cli/output/service_text.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/scalars.h"
#include "proto/schema/selector.h"

namespace cluster::cli {
namespace {

// Columns between NAME and the optional LABELS. `narrow` of them are printed without -o wide.
struct Layout {
  Cells columns;
  size_t narrow;
};

Layout LayoutOf(const Kind& kind) {
  switch (kind.object_case) {
    case v1::Object::kPod:
      return {{"READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"}, 4};
    case v1::Object::kDeployment:
      return {{"READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"}, 4};
    case v1::Object::kReplicaSet:
      return {{"DESIRED", "CURRENT", "READY", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"}, 4};
    case v1::Object::kConfigMap:
      return {{"DATA", "AGE"}, 2};
    case v1::Object::kSecret:
      return {{"TYPE", "DATA", "AGE"}, 3};
    case v1::Object::kNamespace:
      return {{"STATUS", "AGE"}, 2};
    case v1::Object::kNode:
      return {{"STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION",
               "CGROUP"},
              4};
    case v1::Object::kEvent:
      return {{"LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE", "SOURCE", "COUNT", "NAME"}, 5};
    case v1::Object::kPersistentVolumeClaim:
      return {{"STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS", "AGE", "VOLUMEMODE",
               "NODE"},
              6};
    case v1::Object::kPodDisruptionBudget:
      return {{"MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE"}, 4};
    case v1::Object::kPriorityClass:
      return {{"VALUE", "GLOBAL-DEFAULT", "AGE", "PREEMPTIONPOLICY"}, 4};
    case v1::Object::kJob:
      return {{"STATUS", "COMPLETIONS", "DURATION", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"}, 4};
    case v1::Object::kCronJob:
      return {{"SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST SCHEDULE", "AGE", "CONTAINERS",
               "IMAGES", "SELECTOR"},
              6};
    case v1::Object::kLimitRange:
      return {{"CREATED AT"}, 1};
    case v1::Object::kResourceQuota:
      return {{"REQUEST", "LIMIT", "AGE"}, 3};
    case v1::Object::kStatefulSet:
      return {{"READY", "AGE", "CONTAINERS", "IMAGES"}, 2};
    case v1::Object::kDaemonSet:
      return {{"DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR", "AGE",
               "CONTAINERS", "IMAGES", "SELECTOR"},
              7};
    case v1::Object::kControllerRevision:
      return {{"CONTROLLER", "REVISION", "AGE"}, 3};
    case v1::Object::kHorizontalPodAutoscaler:
      return {{"REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"}, 6};
    case v1::Object::kService:
      return {{"TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"}, 5};
    case v1::Object::OBJECT_NOT_SET:
      break;
  }
  return {{"AGE"}, 1};
}

std::string AgeOf(const v1::ObjectMeta& meta, absl::Time now) {
  return Age(meta.creation_timestamp(), now);
}

Cells PodCells(const v1::Pod& pod, absl::Time now) {
  const PodSummary summary = Summarize(pod);
  return {absl::StrCat(summary.ready, "/", summary.containers),
          summary.status,
          RestartsText(summary, now),
          AgeOf(pod.metadata(), now),
          OrNone(pod.status().pod_ip()),
          OrNone(pod.spec().node_name())};
}

void AppendContainers(const v1::PodTemplateSpec& pod, Cells& cells) {
  const auto& containers = pod.spec().containers();
  cells.push_back(absl::StrJoin(containers, ",", [](std::string* out, const v1::Container& c) {
    absl::StrAppend(out, c.name());
  }));
  cells.push_back(absl::StrJoin(containers, ",", [](std::string* out, const v1::Container& c) {
    absl::StrAppend(out, c.image());
  }));
}

void AppendTemplate(const v1::PodTemplateSpec& pod, const v1::LabelSelector& selector,
                    Cells& cells) {
  AppendContainers(pod, cells);
  cells.push_back(SelectorText(selector));
}

Cells DeploymentCells(const v1::Deployment& deployment, absl::Time now) {
  const v1::DeploymentStatus& status = deployment.status();
  Cells cells = {absl::StrCat(status.ready_replicas(), "/", deployment.spec().replicas()),
                 absl::StrCat(status.updated_replicas()), absl::StrCat(status.available_replicas()),
                 AgeOf(deployment.metadata(), now)};
  AppendTemplate(deployment.spec().template_(), deployment.spec().selector(), cells);
  return cells;
}

Cells ReplicaSetCells(const v1::ReplicaSet& set, absl::Time now) {
  Cells cells = {absl::StrCat(set.spec().replicas()), absl::StrCat(set.status().replicas()),
                 absl::StrCat(set.status().ready_replicas()), AgeOf(set.metadata(), now)};
  AppendTemplate(set.spec().template_(), set.spec().selector(), cells);
  return cells;
}

Cells StatefulSetCells(const v1::StatefulSet& set, absl::Time now) {
  Cells cells = {absl::StrCat(set.status().ready_replicas(), "/", set.spec().replicas()),
                 AgeOf(set.metadata(), now)};
  AppendContainers(set.spec().template_(), cells);
  return cells;
}

Cells DaemonSetCells(const v1::DaemonSet& set, absl::Time now) {
  const v1::DaemonSetStatus& status = set.status();
  Cells cells = {absl::StrCat(status.desired_number_scheduled()),
                 absl::StrCat(status.current_number_scheduled()),
                 absl::StrCat(status.number_ready()),
                 absl::StrCat(status.updated_number_scheduled()),
                 absl::StrCat(status.number_available()),
                 LabelsText(set.spec().template_().spec().node_selector()),
                 AgeOf(set.metadata(), now)};
  AppendTemplate(set.spec().template_(), set.spec().selector(), cells);
  return cells;
}

// "statefulset.apps/web"
std::string ControllerText(const v1::ObjectMeta& meta) {
  const v1::OwnerReference* owner = ControllerOf(meta);
  if (owner == nullptr) return "<none>";
  const Kind* kind = FindKind(owner->kind());
  const std::string group(owner->api_version().substr(0, owner->api_version().find('/')));
  return absl::StrCat(kind == nullptr ? absl::AsciiStrToLower(owner->kind()) : kind->singular, ".",
                      group, "/", owner->name());
}

Cells RevisionCells(const v1::ControllerRevision& revision, absl::Time now) {
  return {ControllerText(revision.metadata()), absl::StrCat(revision.revision()),
          AgeOf(revision.metadata(), now)};
}

Cells JobCells(const v1::Job& job, absl::Time now) {
  Cells cells = {JobStatusText(job), CompletionsText(job), JobDurationText(job, now),
                 AgeOf(job.metadata(), now)};
  AppendTemplate(job.spec().template_(), job.spec().selector(), cells);
  return cells;
}

Cells CronJobCells(const v1::CronJob& cron_job, absl::Time now) {
  const v1::CronJobSpec& spec = cron_job.spec();
  Cells cells = {spec.schedule(),
                 OrNone(spec.time_zone()),
                 spec.suspend() ? "True" : "False",
                 absl::StrCat(cron_job.status().active_size()),
                 LastScheduleText(cron_job, now),
                 AgeOf(cron_job.metadata(), now)};
  AppendTemplate(spec.job_template().spec().template_(), spec.job_template().spec().selector(),
                 cells);
  return cells;
}

Cells NodeCells(const v1::Node& node, absl::Time now) {
  const v1::NodeSystemInfo& facts = node.status().node_info();
  return {NodeStatusText(node),
          RolesText(node),
          AgeOf(node.metadata(), now),
          OrNone(facts.agent_version()),
          AddressText(node, "InternalIP"),
          OrNone(facts.os_image()),
          OrNone(facts.kernel_version()),
          OrNone(facts.cgroup_version())};
}

Cells ClaimCells(const v1::PersistentVolumeClaim& claim, absl::Time now) {
  return {ClaimStatusText(claim),
          ClaimVolumeText(claim),
          ClaimCapacityText(claim),
          AccessModesText(claim.status().access_modes()),
          claim.spec().storage_class_name(),
          AgeOf(claim.metadata(), now),
          std::string(EnumText(claim.spec().volume_mode())),
          OrNone(claim.status().node_name())};
}

Cells EventCells(const v1::Event& event, absl::Time now) {
  std::string source = event.source().component();
  if (!event.source().host().empty()) absl::StrAppend(&source, ", ", event.source().host());
  return {LastSeen(event, now),
          event.type(),
          event.reason(),
          ReferenceText(event.involved_object()),
          event.message(),
          source,
          absl::StrCat(std::max(event.count(), 1)),
          event.metadata().name()};
}

Cells BudgetCells(const v1::PodDisruptionBudget& budget, absl::Time now) {
  const auto or_na = [](const std::string& text) { return text.empty() ? "N/A" : text; };
  return {or_na(budget.spec().min_available()), or_na(budget.spec().max_unavailable()),
          absl::StrCat(budget.status().disruptions_allowed()), AgeOf(budget.metadata(), now)};
}

Cells AutoscalerCells(const v1::HorizontalPodAutoscaler& autoscaler, absl::Time now) {
  return {ScaleTargetText(autoscaler),
          TargetsText(autoscaler),
          absl::StrCat(autoscaler.spec().min_replicas()),
          absl::StrCat(autoscaler.spec().max_replicas()),
          absl::StrCat(autoscaler.status().current_replicas()),
          AgeOf(autoscaler.metadata(), now)};
}

Cells ServiceCells(const v1::Service& service, absl::Time now) {
  return {std::string(EnumText(service.spec().type())),
          ClusterIpText(service),
          ExternalIpText(service),
          ServicePortsText(service),
          AgeOf(service.metadata(), now),
          LabelsText(service.spec().selector())};
}

Cells CellsOf(const v1::Object& object, absl::Time now) {
  const v1::ObjectMeta& meta = Meta(object);
  switch (object.object_case()) {
    case v1::Object::kPod:
      return PodCells(object.pod(), now);
    case v1::Object::kDeployment:
      return DeploymentCells(object.deployment(), now);
    case v1::Object::kReplicaSet:
      return ReplicaSetCells(object.replica_set(), now);
    case v1::Object::kConfigMap:
      return {
          absl::StrCat(object.config_map().data_size() + object.config_map().binary_data_size()),
          AgeOf(meta, now)};
    case v1::Object::kSecret:
      return {object.secret().type(), absl::StrCat(object.secret().data_size()), AgeOf(meta, now)};
    case v1::Object::kNamespace:
      return {object.namespace_().status().phase(), AgeOf(meta, now)};
    case v1::Object::kNode:
      return NodeCells(object.node(), now);
    case v1::Object::kEvent:
      return EventCells(object.event(), now);
    case v1::Object::kPersistentVolumeClaim:
      return ClaimCells(object.persistent_volume_claim(), now);
    case v1::Object::kPodDisruptionBudget:
      return BudgetCells(object.pod_disruption_budget(), now);
    case v1::Object::kPriorityClass:
      return {absl::StrCat(object.priority_class().value()),
              object.priority_class().global_default() ? "true" : "false", AgeOf(meta, now),
              std::string(EnumText(object.priority_class().preemption_policy()))};
    case v1::Object::kJob:
      return JobCells(object.job(), now);
    case v1::Object::kCronJob:
      return CronJobCells(object.cron_job(), now);
    case v1::Object::kLimitRange:
      return {FormatTimestamp(meta.creation_timestamp())};
    case v1::Object::kResourceQuota:
      return {QuotaText(object.resource_quota(), false), QuotaText(object.resource_quota(), true),
              AgeOf(meta, now)};
    case v1::Object::kStatefulSet:
      return StatefulSetCells(object.stateful_set(), now);
    case v1::Object::kDaemonSet:
      return DaemonSetCells(object.daemon_set(), now);
    case v1::Object::kControllerRevision:
      return RevisionCells(object.controller_revision(), now);
    case v1::Object::kHorizontalPodAutoscaler:
      return AutoscalerCells(object.horizontal_pod_autoscaler(), now);
    case v1::Object::kService:
      return ServiceCells(object.service(), now);
    case v1::Object::OBJECT_NOT_SET:
      break;
  }
  return {AgeOf(meta, now)};
}

// Puts the cells that all kinds share around a kind's own. Events have their name last.
Cells Assemble(const Kind& kind, const RowOptions& options, Cells own,
               const std::string& name_space, const std::string& name, const std::string& labels) {
  Cells cells;
  if (options.with_namespace && kind.namespaced) cells.push_back(name_space);
  if (kind.object_case != v1::Object::kEvent) cells.push_back(name);
  if (!options.wide) own.resize(LayoutOf(kind).narrow);
  cells.insert(cells.end(), own.begin(), own.end());
  if (options.with_labels) cells.push_back(labels);
  return cells;
}

}  // namespace

std::string OrNone(absl::string_view text) { return text.empty() ? "<none>" : std::string(text); }

Cells Header(const Kind& kind, const RowOptions& options) {
  return Assemble(kind, options, LayoutOf(kind).columns, "NAMESPACE", "NAME", "LABELS");
}

Cells Row(const v1::Object& object, const RowOptions& options, absl::Time now) {
  const v1::ObjectMeta& meta = Meta(object);
  return Assemble(KindOf(object), options, CellsOf(object, now), meta.namespace_(),
                  options.with_kind ? DisplayName(object) : meta.name(), LabelsText(meta.labels()));
}

std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels) {
  const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
  return OrNone(absl::StrJoin(sorted, ",", absl::PairFormatter("=")));
}

std::string SelectorText(const v1::LabelSelector& selector) {
  const absl::StatusOr<LabelMatcher> matcher = LabelMatcher::From(selector);
  return matcher.ok() ? OrNone(matcher->ToString()) : "<invalid>";
}

absl::Time EventTime(const v1::Event& event) {
  if (event.has_last_timestamp()) return ToTime(event.last_timestamp());
  if (event.has_first_timestamp()) return ToTime(event.first_timestamp());
  return ToTime(event.metadata().creation_timestamp());
}

std::string LastSeen(const v1::Event& event, absl::Time now) {
  const std::string last = HumanDuration(now - EventTime(event));
  if (event.count() <= 1) return last;
  return absl::StrCat(last, " (x", event.count(), " over ", Age(event.first_timestamp(), now), ")");
}

std::string ReferenceText(const v1::ObjectReference& reference) {
  const Kind* kind = FindKind(reference.kind());
  return absl::StrCat(kind != nullptr ? kind->singular : absl::AsciiStrToLower(reference.kind()),
                      "/", reference.name());
}

std::string NodeStatusText(const v1::Node& node) {
  const v1::Condition* ready = FindCondition(node.status().conditions(), "Ready");
  std::string text = "Unknown";
  if (ready != nullptr) text = ready->status() == v1::CONDITION_STATUS_TRUE ? "Ready" : "NotReady";
  if (node.spec().unschedulable()) absl::StrAppend(&text, ",SchedulingDisabled");
  return text;
}

std::string RolesText(const v1::Node& node) {
  constexpr absl::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const auto& label : node.metadata().labels()) {
    if (absl::StartsWith(label.first, kPrefix)) roles.insert(label.first.substr(kPrefix.size()));
  }
  return OrNone(absl::StrJoin(roles, ","));
}

std::string AddressText(const v1::Node& node, const std::string& type) {
  for (const v1::NodeAddress& address : node.status().addresses()) {
    if (address.type() == type) return address.address();
  }
  return "<none>";
}

}  // namespace cluster::cli
