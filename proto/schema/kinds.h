// The kinds of the cluster and what is common to all objects. Everything here comes from
// descriptors; adding a kind to object.proto adds it here.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "cluster/v1/object.pb.h"

namespace cluster {

struct Kind {
  std::string name;      // "Deployment"
  std::string plural;    // "deployments"
  std::string singular;  // "deployment"
  std::vector<std::string> short_names;
  std::string api_version;  // "apps/v1"
  bool namespaced = true;
  v1::Object::ObjectCase object_case = v1::Object::OBJECT_NOT_SET;
  const google::protobuf::Descriptor* descriptor = nullptr;
};

// Every kind but those marked not_yet, in the order of object.proto. Lives for ever; any thread.
const std::vector<Kind>& AllKinds();

// By kind, plural, singular or short name, ignoring case; nullptr when unknown.
const Kind* FindKind(absl::string_view word);
const Kind& KindOf(v1::Object::ObjectCase object_case);
// The object must hold something.
inline const Kind& KindOf(const v1::Object& object) { return KindOf(object.object_case()); }

// Kinds of Kubernetes that manifests may name and that are not here yet ("Service", ...).
bool IsKnownButNotYet(absl::string_view kind);

// The message inside (Pod, Deployment, ...).
const google::protobuf::Message& Inner(const v1::Object& object);
google::protobuf::Message* MutableInner(v1::Object* object);
// An object that holds an empty message of this kind, with kind and apiVersion set.
v1::Object NewObject(const Kind& kind);

const v1::ObjectMeta& Meta(const v1::Object& object);
v1::ObjectMeta* MutableMeta(v1::Object* object);

// Store key: "pods/default/web-1", "nodes/node1".
std::string Key(const Kind& kind, absl::string_view name_space, absl::string_view name);
std::string Key(const v1::Object& object);

// "deployment/web", as apply prints it.
std::string DisplayName(const v1::Object& object);

// Wraps one concrete message.
v1::Object Wrap(v1::Pod pod);
v1::Object Wrap(v1::Deployment deployment);
v1::Object Wrap(v1::ReplicaSet replica_set);
v1::Object Wrap(v1::StatefulSet stateful_set);
v1::Object Wrap(v1::DaemonSet daemon_set);
v1::Object Wrap(v1::ControllerRevision revision);
v1::Object Wrap(v1::Node node);
v1::Object Wrap(v1::Event event);
v1::Object Wrap(v1::Namespace name_space);

// The owner that controls this object, or nullptr.
const v1::OwnerReference* ControllerOf(const v1::ObjectMeta& meta);

}  // namespace cluster
