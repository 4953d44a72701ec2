// The number of replicas of what has one: Deployment, ReplicaSet, StatefulSet. Pure.
#pragma once

#include <optional>

#include "cluster/v1/object.pb.h"

namespace cluster::controller {

// spec.replicas; nothing for an object of another kind.
std::optional<int> ReplicasOf(const v1::Object& object);
// False, and nothing touched, for an object of another kind.
bool SetReplicas(int replicas, v1::Object* object);

}  // namespace cluster::controller
