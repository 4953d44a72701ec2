#include "tests/domain/builders.h"

#include "absl/strings/str_cat.h"

namespace cluster::domain {
namespace {

template <typename Message>
void NameIt(const char* kind, const char* api_version, const std::string& name, Message* message) {
  message->set_kind(kind);
  message->set_api_version(api_version);
  message->mutable_metadata()->set_name(name);
  message->mutable_metadata()->set_uid(absl::StrCat(kind, "-", name));
  message->mutable_metadata()->set_generation(1);
}

void FillSpec(v1::PodSpec* spec) {
  auto* container = spec->add_containers();
  container->set_name("main");
  container->set_image("app:1");
  spec->set_restart_policy(v1::RESTART_POLICY_ALWAYS);
  spec->set_termination_grace_period_seconds(30);
}

template <typename Spec>
void FillPods(const std::string& name, Spec* spec) {
  (*spec->mutable_selector()->mutable_match_labels())["app"] = name;
  (*spec->mutable_template_()->mutable_metadata()->mutable_labels())["app"] = name;
  FillSpec(spec->mutable_template_()->mutable_spec());
}

template <typename Spec>
void FillTemplate(const std::string& name, Spec* spec) {
  spec->set_replicas(1);
  FillPods(name, spec);
}

void AddReady(v1::ConditionStatus status,
              google::protobuf::RepeatedPtrField<v1::Condition>* conditions) {
  auto* condition = conditions->Add();
  condition->set_type("Ready");
  condition->set_status(status);
}

}  // namespace

Pod::Pod(const std::string& name) {
  NameIt("Pod", "v1", name, &message_);
  message_.mutable_metadata()->set_namespace_("default");
  FillSpec(message_.mutable_spec());
  message_.mutable_status()->set_phase(v1::POD_PHASE_PENDING);
}

Pod& Pod::On(const std::string& node) {
  message_.mutable_spec()->set_node_name(node);
  return *this;
}

Pod& Pod::Phase(v1::PodPhase phase) {
  message_.mutable_status()->set_phase(phase);
  return *this;
}

Pod& Pod::Ready() {
  message_.mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
  AddReady(v1::CONDITION_STATUS_TRUE, message_.mutable_status()->mutable_conditions());
  return *this;
}

ReplicaSet::ReplicaSet(const std::string& name) {
  NameIt("ReplicaSet", "apps/v1", name, &message_);
  message_.mutable_metadata()->set_namespace_("default");
  FillTemplate(name, message_.mutable_spec());
}

ReplicaSet& ReplicaSet::Replicas(int replicas) {
  message_.mutable_spec()->set_replicas(replicas);
  return *this;
}

Deployment::Deployment(const std::string& name) {
  NameIt("Deployment", "apps/v1", name, &message_);
  message_.mutable_metadata()->set_namespace_("default");
  FillTemplate(name, message_.mutable_spec());
  message_.mutable_spec()->set_revision_history_limit(10);
  message_.mutable_spec()->set_progress_deadline_seconds(600);
  Surge("25%", "25%");
}

Deployment& Deployment::Replicas(int replicas) {
  message_.mutable_spec()->set_replicas(replicas);
  return *this;
}

Deployment& Deployment::Surge(const std::string& surge, const std::string& unavailable) {
  auto* strategy = message_.mutable_spec()->mutable_strategy();
  strategy->set_type(v1::STRATEGY_TYPE_ROLLING_UPDATE);
  strategy->mutable_rolling_update()->set_max_surge(surge);
  strategy->mutable_rolling_update()->set_max_unavailable(unavailable);
  return *this;
}

Deployment& Deployment::Recreate() {
  auto* strategy = message_.mutable_spec()->mutable_strategy();
  strategy->clear_rolling_update();
  strategy->set_type(v1::STRATEGY_TYPE_RECREATE);
  return *this;
}

Deployment& Deployment::History(int limit) {
  message_.mutable_spec()->set_revision_history_limit(limit);
  return *this;
}

StatefulSet::StatefulSet(const std::string& name) {
  NameIt("StatefulSet", "apps/v1", name, &message_);
  message_.mutable_metadata()->set_namespace_("default");
  v1::StatefulSetSpec* spec = message_.mutable_spec();
  FillTemplate(name, spec);
  spec->set_service_name(name);
  spec->set_revision_history_limit(10);
  spec->set_pod_management_policy(v1::POD_MANAGEMENT_POLICY_ORDERED_READY);
  Partition(0).MaxUnavailable("1").Retain(v1::CLAIM_RETENTION_RETAIN, v1::CLAIM_RETENTION_RETAIN);
}

StatefulSet& StatefulSet::Replicas(int replicas) {
  message_.mutable_spec()->set_replicas(replicas);
  return *this;
}

StatefulSet& StatefulSet::Start(int ordinal) {
  message_.mutable_spec()->mutable_ordinals()->set_start(ordinal);
  return *this;
}

StatefulSet& StatefulSet::Parallel() {
  message_.mutable_spec()->set_pod_management_policy(v1::POD_MANAGEMENT_POLICY_PARALLEL);
  return *this;
}

StatefulSet& StatefulSet::OnDelete() {
  auto* strategy = message_.mutable_spec()->mutable_update_strategy();
  strategy->clear_rolling_update();
  strategy->set_type(v1::STATEFUL_SET_STRATEGY_TYPE_ON_DELETE);
  return *this;
}

StatefulSet& StatefulSet::Partition(int partition) {
  auto* strategy = message_.mutable_spec()->mutable_update_strategy();
  strategy->set_type(v1::STATEFUL_SET_STRATEGY_TYPE_ROLLING_UPDATE);
  strategy->mutable_rolling_update()->set_partition(partition);
  return *this;
}

StatefulSet& StatefulSet::MaxUnavailable(const std::string& pods) {
  auto* strategy = message_.mutable_spec()->mutable_update_strategy();
  strategy->mutable_rolling_update()->set_max_unavailable(pods);
  return *this;
}

StatefulSet& StatefulSet::MinReady(int seconds) {
  message_.mutable_spec()->set_min_ready_seconds(seconds);
  return *this;
}

StatefulSet& StatefulSet::History(int limit) {
  message_.mutable_spec()->set_revision_history_limit(limit);
  return *this;
}

StatefulSet& StatefulSet::ClaimPerPod(const std::string& name) {
  v1::PersistentVolumeClaim* claim = message_.mutable_spec()->add_volume_claim_templates();
  claim->set_api_version("v1");
  claim->set_kind("PersistentVolumeClaim");
  claim->mutable_metadata()->set_name(name);
  claim->mutable_spec()->add_access_modes(v1::ACCESS_MODE_READ_WRITE_ONCE);
  (*claim->mutable_spec()->mutable_resources()->mutable_requests())["storage"] = "1Gi";
  return *this;
}

StatefulSet& StatefulSet::Retain(v1::ClaimRetention when_deleted, v1::ClaimRetention when_scaled) {
  auto* policy = message_.mutable_spec()->mutable_persistent_volume_claim_retention_policy();
  policy->set_when_deleted(when_deleted);
  policy->set_when_scaled(when_scaled);
  return *this;
}

DaemonSet::DaemonSet(const std::string& name) {
  NameIt("DaemonSet", "apps/v1", name, &message_);
  message_.mutable_metadata()->set_namespace_("default");
  FillPods(name, message_.mutable_spec());
  message_.mutable_spec()->set_revision_history_limit(10);
  Rolling("0", "1");
}

DaemonSet& DaemonSet::Rolling(const std::string& surge, const std::string& unavailable) {
  auto* strategy = message_.mutable_spec()->mutable_update_strategy();
  strategy->set_type(v1::DAEMON_SET_STRATEGY_TYPE_ROLLING_UPDATE);
  strategy->mutable_rolling_update()->set_max_surge(surge);
  strategy->mutable_rolling_update()->set_max_unavailable(unavailable);
  return *this;
}

DaemonSet& DaemonSet::OnDelete() {
  auto* strategy = message_.mutable_spec()->mutable_update_strategy();
  strategy->clear_rolling_update();
  strategy->set_type(v1::DAEMON_SET_STRATEGY_TYPE_ON_DELETE);
  return *this;
}

DaemonSet& DaemonSet::MinReady(int seconds) {
  message_.mutable_spec()->set_min_ready_seconds(seconds);
  return *this;
}

DaemonSet& DaemonSet::History(int limit) {
  message_.mutable_spec()->set_revision_history_limit(limit);
  return *this;
}

Node::Node(const std::string& name) {
  NameIt("Node", "v1", name, &message_);
  AddReady(v1::CONDITION_STATUS_TRUE, message_.mutable_status()->mutable_conditions());
  Allocatable("4", "8Gi");
}

Node& Node::Allocatable(const std::string& cpu, const std::string& memory, int pods) {
  auto& allocatable = *message_.mutable_status()->mutable_allocatable();
  allocatable["cpu"] = cpu;
  allocatable["memory"] = memory;
  allocatable["pods"] = absl::StrCat(pods);
  return *this;
}

Node& Node::Tainted(const std::string& key, const std::string& value, v1::TaintEffect effect) {
  auto* taint = message_.mutable_spec()->add_taints();
  taint->set_key(key);
  taint->set_value(value);
  taint->set_effect(effect);
  return *this;
}

Node& Node::Cordoned() {
  message_.mutable_spec()->set_unschedulable(true);
  return *this;
}

Node& Node::NotReady() {
  message_.mutable_status()->mutable_conditions(0)->set_status(v1::CONDITION_STATUS_UNKNOWN);
  return *this;
}

Claim::Claim(const std::string& name) {
  NameIt("PersistentVolumeClaim", "v1", name, claim());
  meta()->set_namespace_("default");
  meta()->add_finalizers("kubernetes.io/pvc-protection");
  claim()->mutable_status()->set_phase(v1::CLAIM_PHASE_PENDING);
  Mode(v1::ACCESS_MODE_READ_WRITE_ONCE).Asks("1Gi");
}

Claim& Claim::Mode(v1::AccessMode mode) {
  claim()->mutable_spec()->clear_access_modes();
  claim()->mutable_spec()->add_access_modes(mode);
  return *this;
}

Claim& Claim::Asks(const std::string& storage) {
  (*claim()->mutable_spec()->mutable_resources()->mutable_requests())["storage"] = storage;
  return *this;
}

Claim& Claim::BoundTo(const std::string& node) {
  v1::PersistentVolumeClaimStatus* status = claim()->mutable_status();
  status->set_phase(v1::CLAIM_PHASE_BOUND);
  status->set_node_name(node);
  *status->mutable_access_modes() = claim()->spec().access_modes();
  *status->mutable_capacity() = claim()->spec().resources().requests();
  return *this;
}

Namespace::Namespace(const std::string& name) { NameIt("Namespace", "v1", name, &message_); }

Event::Event(const std::string& name, int64_t last_seen) {
  NameIt("Event", "v1", name, &message_);
  message_.mutable_metadata()->set_namespace_("default");
  message_.mutable_last_timestamp()->set_seconds(last_seen);
}

}  // namespace cluster::domain
