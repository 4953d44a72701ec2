#include "controller/object/replicas.h"

namespace cluster::controller {

std::optional<int> ReplicasOf(const v1::Object& object) {
  if (object.has_deployment()) return object.deployment().spec().replicas();
  if (object.has_replica_set()) return object.replica_set().spec().replicas();
  if (object.has_stateful_set()) return object.stateful_set().spec().replicas();
  return std::nullopt;
}

bool SetReplicas(int replicas, v1::Object* object) {
  if (object->has_deployment()) {
    object->mutable_deployment()->mutable_spec()->set_replicas(replicas);
  } else if (object->has_replica_set()) {
    object->mutable_replica_set()->mutable_spec()->set_replicas(replicas);
  } else if (object->has_stateful_set()) {
    object->mutable_stateful_set()->mutable_spec()->set_replicas(replicas);
  } else {
    return false;
  }
  return true;
}

}  // namespace cluster::controller
