#include "proto/schema/kinds.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "cluster/v1/options.pb.h"

namespace cluster {
namespace {

std::vector<Kind> ReadKinds() {
  std::vector<Kind> kinds;
  const auto* oneof = v1::Object::descriptor()->FindOneofByName("object");
  for (int i = 0; i < oneof->field_count(); ++i) {
    const auto* field = oneof->field(i);
    const auto& options = field->message_type()->options().GetExtension(v1::kind);
    Kind kind;
    kind.name = options.name();
    kind.plural = options.plural();
    kind.singular = options.singular();
    kind.short_names.assign(options.short_names().begin(), options.short_names().end());
    kind.api_version = options.api_version();
    kind.namespaced = !options.cluster_scoped();
    kind.object_case = static_cast<v1::Object::ObjectCase>(field->number());
    kind.descriptor = field->message_type();
    if (!options.not_yet()) kinds.push_back(std::move(kind));
  }
  return kinds;
}

const google::protobuf::FieldDescriptor* InnerField(const v1::Object& object) {
  return v1::Object::descriptor()->FindFieldByNumber(object.object_case());
}

const google::protobuf::FieldDescriptor* MetaField(const google::protobuf::Message& inner) {
  return inner.GetDescriptor()->FindFieldByName("metadata");
}

}  // namespace

const std::vector<Kind>& AllKinds() {
  static const auto* const kinds = new std::vector<Kind>(ReadKinds());
  return *kinds;
}

const Kind* FindKind(absl::string_view word) {
  for (const Kind& kind : AllKinds()) {
    if (absl::EqualsIgnoreCase(word, kind.name) || absl::EqualsIgnoreCase(word, kind.plural)) {
      return &kind;
    }
    for (const std::string& name : kind.short_names) {
      if (absl::EqualsIgnoreCase(word, name)) return &kind;
    }
  }
  return nullptr;
}

const Kind& KindOf(v1::Object::ObjectCase object_case) {
  for (const Kind& kind : AllKinds()) {
    if (kind.object_case == object_case) return kind;
  }
  return AllKinds().front();
}

bool IsKnownButNotYet(absl::string_view kind) {
  static constexpr absl::string_view kLater[] = {
      "PersistentVolume", "NetworkPolicy", "ServiceAccount", "Ingress",     "ReplicationController",
      "StorageClass",     "Role",          "RoleBinding",    "ClusterRole", "ClusterRoleBinding"};
  for (const absl::string_view later : kLater) {
    if (later == kind) return true;
  }
  const auto* oneof = v1::Object::descriptor()->FindOneofByName("object");
  for (int i = 0; i < oneof->field_count(); ++i) {
    const auto& options = oneof->field(i)->message_type()->options().GetExtension(v1::kind);
    if (options.not_yet() && options.name() == kind) return true;
  }
  return false;
}

const google::protobuf::Message& Inner(const v1::Object& object) {
  const auto* field = InnerField(object);
  if (field == nullptr) return object;
  return object.GetReflection()->GetMessage(object, field);
}

google::protobuf::Message* MutableInner(v1::Object* object) {
  const auto* field = InnerField(*object);
  if (field == nullptr) return object;
  return object->GetReflection()->MutableMessage(object, field);
}

v1::Object NewObject(const Kind& kind) {
  v1::Object object;
  const auto* field = v1::Object::descriptor()->FindFieldByNumber(kind.object_case);
  auto* inner = object.GetReflection()->MutableMessage(&object, field);
  const auto* reflection = inner->GetReflection();
  reflection->SetString(inner, kind.descriptor->FindFieldByName("kind"), kind.name);
  reflection->SetString(inner, kind.descriptor->FindFieldByName("api_version"), kind.api_version);
  return object;
}

// Typed, not by reflection: on every hot path.
const v1::ObjectMeta& Meta(const v1::Object& object) {
  switch (object.object_case()) {
    case v1::Object::kPod:
      return object.pod().metadata();
    case v1::Object::kDeployment:
      return object.deployment().metadata();
    case v1::Object::kReplicaSet:
      return object.replica_set().metadata();
    case v1::Object::kConfigMap:
      return object.config_map().metadata();
    case v1::Object::kSecret:
      return object.secret().metadata();
    case v1::Object::kNamespace:
      return object.namespace_().metadata();
    case v1::Object::kNode:
      return object.node().metadata();
    case v1::Object::kEvent:
      return object.event().metadata();
    case v1::Object::kPersistentVolumeClaim:
      return object.persistent_volume_claim().metadata();
    case v1::Object::kStatefulSet:
      return object.stateful_set().metadata();
    case v1::Object::kDaemonSet:
      return object.daemon_set().metadata();
    case v1::Object::kControllerRevision:
      return object.controller_revision().metadata();
    case v1::Object::kJob:
      return object.job().metadata();
    case v1::Object::kCronJob:
      return object.cron_job().metadata();
    case v1::Object::kPodDisruptionBudget:
      return object.pod_disruption_budget().metadata();
    case v1::Object::kHorizontalPodAutoscaler:
      return object.horizontal_pod_autoscaler().metadata();
    case v1::Object::kPriorityClass:
      return object.priority_class().metadata();
    case v1::Object::kLimitRange:
      return object.limit_range().metadata();
    case v1::Object::kResourceQuota:
      return object.resource_quota().metadata();
    case v1::Object::kService:
      return object.service().metadata();
    case v1::Object::OBJECT_NOT_SET:
      break;
  }
  return v1::ObjectMeta::default_instance();
}

v1::ObjectMeta* MutableMeta(v1::Object* object) {
  auto* inner = MutableInner(object);
  return google::protobuf::DynamicCastToGenerated<v1::ObjectMeta>(
      inner->GetReflection()->MutableMessage(inner, MetaField(*inner)));
}

std::string Key(const Kind& kind, absl::string_view name_space, absl::string_view name) {
  return kind.namespaced ? absl::StrCat(kind.plural, "/", name_space, "/", name)
                         : absl::StrCat(kind.plural, "/", name);
}

std::string Key(const v1::Object& object) {
  const auto& meta = Meta(object);
  return Key(KindOf(object), meta.namespace_(), meta.name());
}

std::string DisplayName(const v1::Object& object) {
  return absl::StrCat(KindOf(object).singular, "/", Meta(object).name());
}

v1::Object Wrap(v1::Pod pod) {
  v1::Object object;
  *object.mutable_pod() = std::move(pod);
  return object;
}
v1::Object Wrap(v1::Deployment deployment) {
  v1::Object object;
  *object.mutable_deployment() = std::move(deployment);
  return object;
}
v1::Object Wrap(v1::ReplicaSet replica_set) {
  v1::Object object;
  *object.mutable_replica_set() = std::move(replica_set);
  return object;
}
v1::Object Wrap(v1::StatefulSet stateful_set) {
  v1::Object object;
  *object.mutable_stateful_set() = std::move(stateful_set);
  return object;
}
v1::Object Wrap(v1::DaemonSet daemon_set) {
  v1::Object object;
  *object.mutable_daemon_set() = std::move(daemon_set);
  return object;
}
v1::Object Wrap(v1::ControllerRevision revision) {
  v1::Object object;
  *object.mutable_controller_revision() = std::move(revision);
  return object;
}
v1::Object Wrap(v1::Node node) {
  v1::Object object;
  *object.mutable_node() = std::move(node);
  return object;
}
v1::Object Wrap(v1::Event event) {
  v1::Object object;
  *object.mutable_event() = std::move(event);
  return object;
}
v1::Object Wrap(v1::Namespace name_space) {
  v1::Object object;
  *object.mutable_namespace_() = std::move(name_space);
  return object;
}

const v1::OwnerReference* ControllerOf(const v1::ObjectMeta& meta) {
  for (const auto& owner : meta.owner_references()) {
    if (owner.controller()) return &owner;
  }
  return nullptr;
}

}  // namespace cluster
