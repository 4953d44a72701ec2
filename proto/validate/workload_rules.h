// Deployments, ReplicaSets, StatefulSets, DaemonSets, data objects, nodes.
#pragma once

#include "cluster/v1/object.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

void CheckDeployment(const v1::Deployment& deployment, Findings* findings);
// The cluster's own words on how a workload is rolled out. `can_roll_back`: it goes back by itself.
void CheckRolloutAnnotations(const v1::ObjectMeta& meta, bool can_roll_back, Findings* findings);
void CheckReplicaSet(const v1::ReplicaSetSpec& spec, Findings* findings);
void CheckStatefulSet(const v1::StatefulSet& set, Findings* findings);
// What of it stays as it is.
void CheckStatefulSetKept(const v1::StatefulSetSpec& before, const v1::StatefulSetSpec& after,
                          Findings* findings);
void CheckDaemonSet(const v1::DaemonSetSpec& spec, Findings* findings);
void CheckConfigMap(const v1::ConfigMap& config_map, Findings* findings);
void CheckSecret(const v1::Secret& secret, Findings* findings);
void CheckNode(const v1::NodeSpec& spec, Findings* findings);

}  // namespace cluster
