#include "tests/sim/manifests.h"

#include "absl/strings/str_cat.h"

#include "proto/schema/kinds.h"

namespace cluster::sim {
namespace {

v1::Object Named(const char* kind, const std::string& name) {
  v1::Object object = NewObject(*FindKind(kind));
  MutableMeta(&object)->set_name(name);
  MutableMeta(&object)->set_namespace_("default");
  return object;
}

void Fill(const std::string& app, const Template& pods, v1::PodTemplateSpec* filled) {
  (*filled->mutable_metadata()->mutable_labels())["app"] = app;
  v1::PodSpec* spec = filled->mutable_spec();
  spec->set_termination_grace_period_seconds(pods.grace);
  if (pods.deadline > 0) spec->set_active_deadline_seconds(pods.deadline);
  v1::Container* container = spec->add_containers();
  container->set_name("main");
  container->set_image(absl::StrCat("app:", pods.version));
  (*container->mutable_resources()->mutable_requests())["cpu"] = pods.cpu;
  const auto ask = [container](const char* name, int value) {
    v1::EnvVar* variable = container->add_env();
    variable->set_name(name);
    variable->set_value(absl::StrCat(value));
  };
  if (pods.run >= 0) ask("RUN", pods.run);
  if (pods.fails > 0) ask("FAILS", pods.fails);
  if (pods.probed && pods.run < 0) {
    const char* const probe = pods.ready ? "true" : "false";
    container->mutable_readiness_probe()->mutable_exec()->add_command(probe);
  }
}

void Select(const std::string& app, v1::LabelSelector* selector) {
  (*selector->mutable_match_labels())["app"] = app;
}

}  // namespace

bool Serves(const v1::PodTemplateSpec& pods) {
  if (pods.spec().has_active_deadline_seconds()) return false;
  const v1::Container& container = pods.spec().containers(0);
  for (const std::string& word : container.readiness_probe().exec().command()) {
    if (word == "false") return false;
  }
  for (const v1::EnvVar& variable : container.env()) {
    if (variable.name() == "RUN") return false;
  }
  return true;
}

v1::Object DeploymentOf(const std::string& name, int replicas, const std::string& surge,
                        const std::string& unavailable, const Template& pods) {
  v1::Object object = Named("Deployment", name);
  v1::DeploymentSpec* spec = object.mutable_deployment()->mutable_spec();
  spec->set_replicas(replicas);
  Select(name, spec->mutable_selector());
  spec->mutable_strategy()->mutable_rolling_update()->set_max_surge(surge);
  spec->mutable_strategy()->mutable_rolling_update()->set_max_unavailable(unavailable);
  Fill(name, pods, spec->mutable_template_());
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

v1::Object BudgetOf(const std::string& name, const std::string& app, const std::string& available) {
  v1::Object object = Named("PodDisruptionBudget", name);
  v1::PodDisruptionBudgetSpec* spec = object.mutable_pod_disruption_budget()->mutable_spec();
  spec->set_min_available(available);
  Select(app, spec->mutable_selector());
  return object;
}

}  // namespace cluster::sim
