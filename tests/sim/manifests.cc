#include "tests/sim/manifests.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"

#include "proto/schema/kinds.h"
#include "proto/schema/reader.h"

namespace cluster::sim {
namespace {

v1::Object Named(const char* kind, const std::string& name) {
  v1::Object object = NewObject(*FindKind(kind));
  MutableMeta(&object)->set_name(name);
  MutableMeta(&object)->set_namespace_("default");
  return object;
}

v1::Object FromYaml(const std::string& text) {
  return ReadManifests(text, "manifests.cc").documents.at(0).object;
}

void PutPlace(const std::string& app, Place place, v1::PodSpec* spec) {
  switch (place) {
    case Place::kAnywhere:
      break;
    case Place::kApart: {
      v1::PodAffinityTerm* term = spec->mutable_affinity()
                                      ->mutable_pod_anti_affinity()
                                      ->add_required_during_scheduling_ignored_during_execution();
      term->set_topology_key("kubernetes.io/hostname");
      (*term->mutable_label_selector()->mutable_match_labels())["app"] = app;
      break;
    }
    case Place::kSpread: {
      v1::TopologySpreadConstraint* spread = spec->add_topology_spread_constraints();
      spread->set_max_skew(1);
      spread->set_topology_key("zone");
      spread->set_when_unsatisfiable(v1::UNSATISFIABLE_ACTION_DO_NOT_SCHEDULE);
      (*spread->mutable_label_selector()->mutable_match_labels())["app"] = app;
      break;
    }
    case Place::kPort: {
      v1::ContainerPort* port = spec->mutable_containers(0)->add_ports();
      port->set_container_port(80);
      port->set_host_port(8080);
      break;
    }
  }
}

void Select(const std::string& app, v1::LabelSelector* selector) {
  (*selector->mutable_match_labels())["app"] = app;
}

}  // namespace

void Fill(const std::string& app, const Template& pods, v1::PodTemplateSpec* filled) {
  (*filled->mutable_metadata()->mutable_labels())["app"] = app;
  v1::PodSpec* spec = filled->mutable_spec();
  spec->set_termination_grace_period_seconds(pods.grace);
  if (pods.urgent) spec->set_priority_class_name("urgent");
  if (pods.patience >= 0) {
    v1::Toleration* toleration = spec->add_tolerations();
    toleration->set_key(kMaintenance);
    toleration->set_operator_(v1::TOLERATION_OPERATOR_EXISTS);
    toleration->set_effect(v1::TAINT_EFFECT_NO_EXECUTE);
    toleration->set_toleration_seconds(pods.patience);
  }
  v1::Container* container = spec->add_containers();
  container->set_name("main");
  container->set_image(absl::StrCat("app:", pods.version));
  if (!pods.cpu.empty()) (*container->mutable_resources()->mutable_requests())["cpu"] = pods.cpu;
  const auto ask = [container](const char* name, int value) {
    v1::EnvVar* variable = container->add_env();
    variable->set_name(name);
    variable->set_value(absl::StrCat(value));
  };
  if (pods.run >= 0) ask("RUN", pods.run);
  if (pods.fails > 0) ask("FAILS", pods.fails);
  if (pods.configured) container->add_env_from()->mutable_config_map_ref()->set_name("settings");
  if (pods.probed && pods.run < 0) {
    const char* const probe = pods.ready ? "true" : "false";
    container->mutable_readiness_probe()->mutable_exec()->add_command(probe);
  }
  PutPlace(app, pods.place, spec);
}

bool IsEnding(const v1::PodTemplateSpec& pods) {
  for (const v1::EnvVar& variable : pods.spec().containers(0).env()) {
    if (variable.name() == "RUN") return true;
  }
  return false;
}

bool Serves(const v1::PodTemplateSpec& pods) {
  if (IsEnding(pods)) return false;
  const v1::Container& container = pods.spec().containers(0);
  for (const std::string& word : container.readiness_probe().exec().command()) {
    if (word == "false") return false;
  }
  // No node has so much.
  const auto cpu = container.resources().requests().find("cpu");
  return cpu == container.resources().requests().end() || cpu->second != "9000m";
}

v1::Object DeploymentOf(const std::string& name, int replicas, const std::string& surge,
                        const std::string& unavailable) {
  v1::Object object = Named("Deployment", name);
  v1::DeploymentSpec* spec = object.mutable_deployment()->mutable_spec();
  spec->set_replicas(replicas);
  Select(name, spec->mutable_selector());
  spec->mutable_strategy()->mutable_rolling_update()->set_max_surge(surge);
  spec->mutable_strategy()->mutable_rolling_update()->set_max_unavailable(unavailable);
  return object;
}

v1::Object StatefulSetOf(const std::string& name, int replicas, bool parallel, bool claims,
                         const Template& pods) {
  v1::Object object = Named("StatefulSet", name);
  v1::StatefulSetSpec* spec = object.mutable_stateful_set()->mutable_spec();
  spec->set_replicas(replicas);
  spec->set_service_name(name);
  if (parallel) spec->set_pod_management_policy(v1::POD_MANAGEMENT_POLICY_PARALLEL);
  Select(name, spec->mutable_selector());
  Fill(name, pods, spec->mutable_template_());
  if (!claims) return object;
  v1::PersistentVolumeClaim* claim = spec->add_volume_claim_templates();
  claim->mutable_metadata()->set_name("data");
  claim->mutable_spec()->add_access_modes(v1::ACCESS_MODE_READ_WRITE_ONCE);
  (*claim->mutable_spec()->mutable_resources()->mutable_requests())["storage"] = "1Gi";
  v1::VolumeMount* mount =
      spec->mutable_template_()->mutable_spec()->mutable_containers(0)->add_volume_mounts();
  mount->set_name("data");
  mount->set_mount_path("/data");
  return object;
}

v1::Object DaemonSetOf(const std::string& name, const Template& pods) {
  v1::Object object = Named("DaemonSet", name);
  v1::DaemonSetSpec* spec = object.mutable_daemon_set()->mutable_spec();
  Select(name, spec->mutable_selector());
  Fill(name, pods, spec->mutable_template_());
  return object;
}

v1::Object JobOf(const std::string& name, int completions, int parallelism, bool indexed,
                 const Template& pods) {
  v1::Object object = Named("Job", name);
  v1::JobSpec* spec = object.mutable_job()->mutable_spec();
  spec->set_completions(completions);
  spec->set_parallelism(parallelism);
  spec->set_backoff_limit(50);
  if (indexed) spec->set_completion_mode(v1::COMPLETION_MODE_INDEXED);
  Fill(name, pods, spec->mutable_template_());
  spec->mutable_template_()->mutable_spec()->set_restart_policy(v1::RESTART_POLICY_NEVER);
  return object;
}

v1::Object CronJobOf(const std::string& name, const Schedule& schedule, const Template& pods) {
  v1::Object object = Named("CronJob", name);
  v1::CronJobSpec* spec = object.mutable_cron_job()->mutable_spec();
  spec->set_schedule(absl::StrCat("*/", schedule.minutes, " * * * *"));
  spec->set_concurrency_policy(schedule.policy);
  if (schedule.deadline > 0) spec->set_starting_deadline_seconds(schedule.deadline);
  v1::JobSpec* job = spec->mutable_job_template()->mutable_spec();
  job->set_backoff_limit(2);
  Fill(name, pods, job->mutable_template_());
  job->mutable_template_()->mutable_spec()->set_restart_policy(v1::RESTART_POLICY_NEVER);
  return object;
}

v1::Object ServiceOf(const std::string& app) {
  v1::Object object = Named("Service", app);
  v1::ServiceSpec* spec = object.mutable_service()->mutable_spec();
  (*spec->mutable_selector())["app"] = app;
  spec->add_ports()->set_port(80);
  return object;
}

v1::Object BudgetOf(const std::string& name, const std::string& app) {
  v1::Object object = Named("PodDisruptionBudget", name);
  Select(app, object.mutable_pod_disruption_budget()->mutable_spec()->mutable_selector());
  return object;
}

void FailAtOnce(v1::JobSpec* spec) {
  v1::PodFailureRule* rule = spec->mutable_pod_failure_policy()->add_rules();
  rule->set_action(v1::POD_FAILURE_ACTION_FAIL_JOB);
  rule->mutable_on_exit_codes()->set_operator_(v1::EXIT_CODES_OPERATOR_IN);
  rule->mutable_on_exit_codes()->add_values(1);
}

v1::Object PriorityOf(const std::string& name, int value) {
  return FromYaml(absl::Substitute(R"(apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: $0}
value: $1
)",
                                   name, value));
}

v1::Object SettingsOf(int value) {
  return FromYaml(absl::Substitute(R"(apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {$0: "$1"}
)",
                                   kSetting, value));
}

v1::Object AutoscalerOf(const std::string& name, int least, int most) {
  return FromYaml(absl::Substitute(R"(apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: $0, namespace: default}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: $0}
  minReplicas: $1
  maxReplicas: $2
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: AverageValue, averageValue: $3m}}
)",
                                   name, least, most, kShare));
}

v1::Object NamespaceOf(const std::string& name) {
  return FromYaml(
      absl::Substitute("apiVersion: v1\nkind: Namespace\nmetadata: {name: $0}\n", name));
}

v1::Object LimitsOf(const std::string& name_space) {
  return FromYaml(absl::Substitute(R"(apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: $0}
spec: {limits: [{type: Container, defaultRequest: {cpu: 100m}}]}
)",
                                   name_space));
}

v1::Object QuotaOf(const std::string& name_space, int pods, const std::string& cpu) {
  return FromYaml(absl::Substitute(R"(apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: $0}
spec: {hard: {pods: "$1", requests.cpu: "$2"}}
)",
                                   name_space, pods, cpu));
}

bool IsTainted(const v1::NodeSpec& node) {
  for (const v1::Taint& taint : node.taints()) {
    if (taint.key() == kMaintenance) return true;
  }
  return false;
}

bool HasGoodRevision(const View& view, const v1::Deployment& deployment) {
  const auto& annotations = deployment.metadata().annotations();
  const auto on = annotations.find("cluster.v1/auto-rollback");
  if (on != annotations.end() && on->second == "false") return false;
  for (const EntryPtr& set : view.OwnedBy(v1::Object::kReplicaSet, deployment.metadata().uid())) {
    const auto& notes = Meta(set->object).annotations();
    if (notes.contains("rollout.cluster.v1/complete")) return true;
  }
  return false;
}

}  // namespace cluster::sim
