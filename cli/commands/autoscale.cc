#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/targets.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct AutoscaleFlags {
  std::vector<std::string> words;
  std::string name;
  int32_t min = -1;
  int32_t max = -1;
  int32_t cpu_percent = -1;
};

v1::Object NewAutoscaler(const AutoscaleFlags& flags, const Target& target,
                         const std::string& name_space) {
  v1::Object object = NewObject(*FindKind("HorizontalPodAutoscaler"));
  v1::HorizontalPodAutoscaler* autoscaler = object.mutable_horizontal_pod_autoscaler();
  autoscaler->mutable_metadata()->set_name(flags.name.empty() ? target.name : flags.name);
  autoscaler->mutable_metadata()->set_namespace_(name_space);
  v1::HorizontalPodAutoscalerSpec* spec = autoscaler->mutable_spec();
  v1::CrossVersionObjectReference* reference = spec->mutable_scale_target_ref();
  reference->set_api_version(target.kind->api_version);
  reference->set_kind(target.kind->name);
  reference->set_name(target.name);
  if (flags.min > 0) spec->set_min_replicas(flags.min);
  spec->set_max_replicas(flags.max);
  if (flags.cpu_percent <= 0) return object;
  v1::MetricSpec* metric = spec->add_metrics();
  metric->set_type(v1::METRIC_SOURCE_TYPE_RESOURCE);
  metric->mutable_resource()->set_name("cpu");
  v1::MetricTarget* use = metric->mutable_resource()->mutable_target();
  use->set_type(v1::METRIC_TARGET_TYPE_UTILIZATION);
  use->set_average_utilization(flags.cpu_percent);
  return object;
}

absl::Status Autoscale(Session& session, const AutoscaleFlags& flags) {
  if (flags.max < 1) return UsageError("--max must be 1 or more");
  if (flags.min > flags.max) return UsageError("--max must be as many as --min, or more");
  ASSIGN_OR_RETURN(const Target target, ParseOneTarget(flags.words));
  // What is not there, or has no replicas, is refused now, not found out later.
  ASSIGN_OR_RETURN(const v1::Object scaled, FetchOne(session, target));
  if (!scaled.has_deployment() && !scaled.has_replica_set() && !scaled.has_stateful_set()) {
    return UsageError(absl::StrCat("a ", target.kind->singular,
                                   " has no replicas; name a deployment, a replicaset or a "
                                   "statefulset"));
  }
  v1::Object object = NewAutoscaler(flags, target, session.name_space());
  const std::string name = Meta(object).name();
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const auto there = client->Get("HorizontalPodAutoscaler", session.name_space(), name);
  if (there.ok()) {
    return absl::AlreadyExistsError(absl::StrCat("horizontalpodautoscaler ", name,
                                                 " exists; delete it or choose another --name"));
  }
  if (!absl::IsNotFound(there.status())) return there.status();
  v1::ApplyRequest request;
  *request.add_objects() = std::move(object);
  RETURN_IF_ERROR(client->Apply(std::move(request)).status());
  session.out() << "horizontalpodautoscaler/" << name << " autoscaled\n";
  return absl::OkStatus();
}

}  // namespace

void AddAutoscale(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(
      app, "autoscale",
      "Makes a HorizontalPodAutoscaler: as many pods as the processor time they use asks for",
      "clusterctl autoscale deploy/web --min 2 --max 10 --cpu-percent 60\n"
      "clusterctl autoscale statefulset db --max 5");
  auto flags = std::make_shared<AutoscaleFlags>();
  command->add_option("what", flags->words, "KIND NAME or KIND/NAME");
  command->add_option("--min", flags->min, "At least so many pods (default 1)");
  command->add_option("--max", flags->max, "At most so many pods")->required();
  command->add_option("--cpu-percent", flags->cpu_percent,
                      "What pods shall use of the cpu that they request, on average (default 80)");
  command->add_option("--name", flags->name, "Of the autoscaler (default: that of the target)");
  session.OnCommand(command, [&session, flags] { return Autoscale(session, *flags); });
}

}  // namespace cluster::cli
