// What a manifest leaves out.
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/schema/kinds.h"
#include "proto/schema/scalars.h"
#include "proto/validate/autoscaler_rules.h"
#include "proto/validate/image_name.h"
#include "proto/validate/job_rules.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/quota_rules.h"
#include "proto/validate/service_rules.h"
#include "proto/validate/validate.h"

namespace cluster {
namespace {

constexpr char kDefaultPart[] = "25%";

void Canonicalize(StringMap* amounts) {
  for (auto& [resource, amount] : *amounts) {
    // What is no quantity is refused by the validation.
    auto canonical = CanonicalQuantity(amount);
    if (canonical.ok()) amount = *std::move(canonical);
  }
}

void DefaultResources(v1::ResourceRequirements* resources) {
  Canonicalize(resources->mutable_limits());
  Canonicalize(resources->mutable_requests());
  for (const auto& [resource, limit] : resources->limits()) {
    resources->mutable_requests()->insert({resource, limit});
  }
}

void DefaultHttp(v1::HttpGetAction* get) {
  if (get->path().empty()) get->set_path("/");
  if (get->scheme() == v1::URI_SCHEME_UNSPECIFIED) get->set_scheme(v1::URI_SCHEME_HTTP);
}

void DefaultProbe(v1::Probe* probe) {
  if (probe->timeout_seconds() == 0) probe->set_timeout_seconds(1);
  if (probe->period_seconds() == 0) probe->set_period_seconds(10);
  if (probe->success_threshold() == 0) probe->set_success_threshold(1);
  if (probe->failure_threshold() == 0) probe->set_failure_threshold(3);
  if (probe->has_http_get()) DefaultHttp(probe->mutable_http_get());
  if (probe->has_grpc() && !probe->grpc().has_service()) probe->mutable_grpc()->set_service("");
}

void DefaultHook(v1::LifecycleHandler* hook) {
  if (hook->has_http_get()) DefaultHttp(hook->mutable_http_get());
}

void DefaultHealth(v1::Container* container) {
  if (container->has_liveness_probe()) DefaultProbe(container->mutable_liveness_probe());
  if (container->has_readiness_probe()) DefaultProbe(container->mutable_readiness_probe());
  if (container->has_startup_probe()) DefaultProbe(container->mutable_startup_probe());
  if (!container->has_lifecycle()) return;
  v1::Lifecycle* lifecycle = container->mutable_lifecycle();
  if (lifecycle->has_post_start()) DefaultHook(lifecycle->mutable_post_start());
  if (lifecycle->has_pre_stop()) DefaultHook(lifecycle->mutable_pre_stop());
}

// Of containers of every kind.
template <typename AnyContainer>
void DefaultTermination(AnyContainer* container) {
  if (container->termination_message_path().empty()) {
    container->set_termination_message_path("/dev/termination-log");
  }
  if (container->termination_message_policy() == v1::TERMINATION_MESSAGE_POLICY_UNSPECIFIED) {
    container->set_termination_message_policy(v1::TERMINATION_MESSAGE_POLICY_FILE);
  }
}

template <typename AnyContainer>
void DefaultImageAndEnv(AnyContainer* container) {
  if (container->image_pull_policy() == v1::IMAGE_PULL_POLICY_UNSPECIFIED) {
    container->set_image_pull_policy(IsLatest(container->image())
                                         ? v1::IMAGE_PULL_POLICY_ALWAYS
                                         : v1::IMAGE_PULL_POLICY_IF_NOT_PRESENT);
  }
  for (v1::EnvVar& variable : *container->mutable_env()) {
    if (!variable.value_from().has_field_ref()) continue;
    v1::ObjectFieldSelector* field = variable.mutable_value_from()->mutable_field_ref();
    if (field->api_version().empty()) field->set_api_version("v1");
  }
}

void DefaultContainer(v1::Container* container) {
  DefaultImageAndEnv(container);
  DefaultTermination(container);
  DefaultHealth(container);
  for (v1::ContainerPort& port : *container->mutable_ports()) {
    if (port.protocol() == v1::PROTOCOL_UNSPECIFIED) port.set_protocol(v1::PROTOCOL_TCP);
  }
  if (container->has_resources()) DefaultResources(container->mutable_resources());
}

void DefaultDownward(google::protobuf::RepeatedPtrField<v1::DownwardApiVolumeFile>* items) {
  for (v1::DownwardApiVolumeFile& item : *items) {
    if (item.has_field_ref() && item.field_ref().api_version().empty()) {
      item.mutable_field_ref()->set_api_version("v1");
    }
  }
}

template <typename Source>
void DefaultMode(Source* source) {
  if (!source->has_default_mode()) source->set_default_mode(0644);
}

void DefaultVolume(v1::Volume* volume) {
  if (volume->has_config_map()) DefaultMode(volume->mutable_config_map());
  if (volume->has_secret()) DefaultMode(volume->mutable_secret());
  if (volume->has_downward_api()) {
    DefaultMode(volume->mutable_downward_api());
    DefaultDownward(volume->mutable_downward_api()->mutable_items());
  }
  if (volume->has_projected()) {
    DefaultMode(volume->mutable_projected());
    for (v1::VolumeProjection& source : *volume->mutable_projected()->mutable_sources()) {
      if (!source.has_downward_api()) continue;
      DefaultDownward(source.mutable_downward_api()->mutable_items());
    }
  }
  const std::string& limit = volume->empty_dir().size_limit();
  const auto canonical = CanonicalQuantity(limit);
  if (!limit.empty() && canonical.ok()) volume->mutable_empty_dir()->set_size_limit(*canonical);
}

void DefaultClaim(v1::PersistentVolumeClaim* claim) {
  v1::PersistentVolumeClaimSpec* spec = claim->mutable_spec();
  if (!spec->has_storage_class_name()) spec->set_storage_class_name("local");
  if (spec->volume_mode() == v1::VOLUME_MODE_UNSPECIFIED) {
    spec->set_volume_mode(v1::VOLUME_MODE_FILESYSTEM);
  }
  Canonicalize(spec->mutable_resources()->mutable_requests());
  Canonicalize(spec->mutable_resources()->mutable_limits());
}

// A port of a container in the node's network is the node's.
void DefaultHostPorts(google::protobuf::RepeatedPtrField<v1::Container>* containers) {
  for (v1::Container& container : *containers) {
    for (v1::ContainerPort& port : *container.mutable_ports()) {
      if (port.host_port() == 0) port.set_host_port(port.container_port());
    }
  }
}

void DefaultPodSpec(v1::PodSpec* spec) {
  if (spec->host_network()) {
    DefaultHostPorts(spec->mutable_containers());
    DefaultHostPorts(spec->mutable_init_containers());
  }
  if (spec->restart_policy() == v1::RESTART_POLICY_UNSPECIFIED) {
    spec->set_restart_policy(v1::RESTART_POLICY_ALWAYS);
  }
  if (!spec->has_termination_grace_period_seconds()) {
    spec->set_termination_grace_period_seconds(30);
  }
  if (spec->dns_policy() == v1::DNS_POLICY_UNSPECIFIED) {
    spec->set_dns_policy(v1::DNS_POLICY_CLUSTER_FIRST);
  }
  if (spec->scheduler_name().empty()) spec->set_scheduler_name("default-scheduler");
  for (v1::Container& container : *spec->mutable_containers()) DefaultContainer(&container);
  for (v1::Volume& volume : *spec->mutable_volumes()) DefaultVolume(&volume);
  for (v1::Container& container : *spec->mutable_init_containers()) DefaultContainer(&container);
  for (v1::EphemeralContainer& container : *spec->mutable_ephemeral_containers()) {
    DefaultImageAndEnv(&container);
    DefaultTermination(&container);
  }
}

// What has a template and selects its pods.
template <typename Spec>
void DefaultTemplate(Spec* spec) {
  const auto& labels = spec->template_().metadata().labels();
  const bool no_selector =
      spec->selector().match_labels().empty() && spec->selector().match_expressions().empty();
  if (no_selector && !labels.empty()) {
    *spec->mutable_selector()->mutable_match_labels() = labels;
  }
  DefaultPodSpec(spec->mutable_template_()->mutable_spec());
}

// Deployments and ReplicaSets.
template <typename Spec>
void DefaultWorkload(Spec* spec) {
  if (!spec->has_replicas()) spec->set_replicas(1);
  DefaultTemplate(spec);
}

void DefaultStrategy(v1::DeploymentStrategy* strategy) {
  if (strategy->type() == v1::STRATEGY_TYPE_UNSPECIFIED) {
    strategy->set_type(v1::STRATEGY_TYPE_ROLLING_UPDATE);
  }
  if (strategy->type() != v1::STRATEGY_TYPE_ROLLING_UPDATE) return;
  v1::RollingUpdate* update = strategy->mutable_rolling_update();
  if (update->max_surge().empty()) update->set_max_surge(kDefaultPart);
  if (update->max_unavailable().empty()) update->set_max_unavailable(kDefaultPart);
}

void DefaultDeployment(v1::DeploymentSpec* spec) {
  DefaultWorkload(spec);
  DefaultStrategy(spec->mutable_strategy());
  if (!spec->has_revision_history_limit()) spec->set_revision_history_limit(10);
  if (!spec->has_progress_deadline_seconds()) spec->set_progress_deadline_seconds(600);
}

void DefaultClaimTemplate(v1::PersistentVolumeClaim* claim) {
  claim->set_api_version("v1");
  claim->set_kind("PersistentVolumeClaim");
  DefaultClaim(claim);
}

void DefaultRetention(v1::ClaimRetentionPolicy* policy) {
  if (policy->when_deleted() == v1::CLAIM_RETENTION_UNSPECIFIED) {
    policy->set_when_deleted(v1::CLAIM_RETENTION_RETAIN);
  }
  if (policy->when_scaled() == v1::CLAIM_RETENTION_UNSPECIFIED) {
    policy->set_when_scaled(v1::CLAIM_RETENTION_RETAIN);
  }
}

void DefaultStatefulSet(v1::StatefulSetSpec* spec) {
  DefaultWorkload(spec);
  if (spec->pod_management_policy() == v1::POD_MANAGEMENT_POLICY_UNSPECIFIED) {
    spec->set_pod_management_policy(v1::POD_MANAGEMENT_POLICY_ORDERED_READY);
  }
  v1::StatefulSetUpdateStrategy* strategy = spec->mutable_update_strategy();
  if (strategy->type() == v1::STATEFUL_SET_STRATEGY_TYPE_UNSPECIFIED) {
    strategy->set_type(v1::STATEFUL_SET_STRATEGY_TYPE_ROLLING_UPDATE);
  }
  if (strategy->type() == v1::STATEFUL_SET_STRATEGY_TYPE_ROLLING_UPDATE) {
    v1::StatefulSetRollingUpdate* update = strategy->mutable_rolling_update();
    if (!update->has_partition()) update->set_partition(0);
    if (update->max_unavailable().empty()) update->set_max_unavailable("1");
  }
  if (!spec->has_revision_history_limit()) spec->set_revision_history_limit(10);
  DefaultRetention(spec->mutable_persistent_volume_claim_retention_policy());
  for (v1::PersistentVolumeClaim& claim : *spec->mutable_volume_claim_templates()) {
    DefaultClaimTemplate(&claim);
  }
}

void DefaultDaemonSet(v1::DaemonSetSpec* spec) {
  DefaultTemplate(spec);
  v1::DaemonSetUpdateStrategy* strategy = spec->mutable_update_strategy();
  if (strategy->type() == v1::DAEMON_SET_STRATEGY_TYPE_UNSPECIFIED) {
    strategy->set_type(v1::DAEMON_SET_STRATEGY_TYPE_ROLLING_UPDATE);
  }
  if (strategy->type() == v1::DAEMON_SET_STRATEGY_TYPE_ROLLING_UPDATE) {
    v1::RollingUpdate* update = strategy->mutable_rolling_update();
    if (update->max_unavailable().empty()) update->set_max_unavailable("1");
    if (update->max_surge().empty()) update->set_max_surge("0");
  }
  if (!spec->has_revision_history_limit()) spec->set_revision_history_limit(10);
}

void DefaultJob(v1::Job* job) {
  DefaultJobSpec(job->mutable_spec());
  DefaultJobSelector(job);
  DefaultPodSpec(job->mutable_spec()->mutable_template_()->mutable_spec());
}

void DefaultCronJob(v1::CronJobSpec* spec) {
  DefaultCronJobSpec(spec);
  DefaultPodSpec(spec->mutable_job_template()->mutable_spec()->mutable_template_()->mutable_spec());
}

void DefaultSecret(v1::Secret* secret) {
  if (secret->type().empty()) secret->set_type("Opaque");
  // A bad key stays where the user wrote it, so that the validation points there.
  StringMap bad;
  for (const auto& [key, value] : secret->string_data()) {
    (DataKeyProblem(key).empty() ? *secret->mutable_data() : bad)[key] = value;
  }
  *secret->mutable_string_data() = std::move(bad);
}

void DefaultNamespace(v1::Namespace* name_space) {
  const std::string& name = name_space->metadata().name();
  if (!LabelValueProblem(name).empty()) return;
  (*name_space->mutable_metadata()->mutable_labels())["kubernetes.io/metadata.name"] = name;
}

void DefaultPriorityClass(v1::PriorityClass* priority_class) {
  if (priority_class->preemption_policy() == v1::PREEMPTION_POLICY_UNSPECIFIED) {
    priority_class->set_preemption_policy(v1::PREEMPTION_POLICY_PREEMPT_LOWER_PRIORITY);
  }
}

void SetTypeMeta(v1::Object* object) {
  const Kind& kind = KindOf(*object);
  google::protobuf::Message* inner = MutableInner(object);
  const auto* reflection = inner->GetReflection();
  reflection->SetString(inner, kind.descriptor->FindFieldByName("kind"), kind.name);
  reflection->SetString(inner, kind.descriptor->FindFieldByName("api_version"), kind.api_version);
}

}  // namespace

void SetDefaults(v1::Object* object) {
  if (object->object_case() == v1::Object::OBJECT_NOT_SET) return;
  SetTypeMeta(object);
  v1::ObjectMeta* meta = MutableMeta(object);
  if (KindOf(*object).namespaced && meta->namespace_().empty()) meta->set_namespace_("default");
  switch (object->object_case()) {
    case v1::Object::kPod:
      DefaultPodSpec(object->mutable_pod()->mutable_spec());
      break;
    case v1::Object::kDeployment:
      DefaultDeployment(object->mutable_deployment()->mutable_spec());
      break;
    case v1::Object::kReplicaSet:
      DefaultWorkload(object->mutable_replica_set()->mutable_spec());
      break;
    case v1::Object::kStatefulSet:
      DefaultStatefulSet(object->mutable_stateful_set()->mutable_spec());
      break;
    case v1::Object::kDaemonSet:
      DefaultDaemonSet(object->mutable_daemon_set()->mutable_spec());
      break;
    case v1::Object::kSecret:
      DefaultSecret(object->mutable_secret());
      break;
    case v1::Object::kNamespace:
      DefaultNamespace(object->mutable_namespace_());
      break;
    case v1::Object::kPersistentVolumeClaim:
      DefaultClaim(object->mutable_persistent_volume_claim());
      break;
    case v1::Object::kJob:
      DefaultJob(object->mutable_job());
      break;
    case v1::Object::kCronJob:
      DefaultCronJob(object->mutable_cron_job()->mutable_spec());
      break;
    case v1::Object::kLimitRange:
      DefaultLimitRange(object->mutable_limit_range()->mutable_spec());
      break;
    case v1::Object::kResourceQuota:
      DefaultQuota(object->mutable_resource_quota()->mutable_spec());
      break;
    case v1::Object::kPriorityClass:
      DefaultPriorityClass(object->mutable_priority_class());
      break;
    case v1::Object::kHorizontalPodAutoscaler:
      DefaultAutoscaler(object->mutable_horizontal_pod_autoscaler()->mutable_spec());
      break;
    case v1::Object::kService:
      DefaultService(object->mutable_service()->mutable_spec());
      break;
    case v1::Object::kConfigMap:
    case v1::Object::kNode:
    case v1::Object::kEvent:
    case v1::Object::kControllerRevision:
    case v1::Object::kPodDisruptionBudget:
    case v1::Object::OBJECT_NOT_SET:
      break;
  }
}

}  // namespace cluster
