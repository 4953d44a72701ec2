// Where a DaemonSet wants its pods, and where they may stay. Pure.
#pragma once

#include <string>

#include "cluster/v1/object.pb.h"
#include "controller/reconcile/template_history.h"

namespace cluster::controller {

struct DaemonVerdict {
  bool should_run = false;  // the node is to have a pod
  bool may_stay = false;    // a pod that is there is not taken away
};

// nodeName, nodeSelector and required node affinity of the template decide, and taints that a pod
// of it does not put up with: NoSchedule keeps pods from coming, NoExecute from staying too. A node
// that is cordoned, lost or short of something keeps its pods.
DaemonVerdict JudgeNode(const v1::DaemonSet& set, const v1::Node& node);

// Tolerations that every pod of a DaemonSet has, as Kubernetes adds them.
void AddDaemonTolerations(v1::PodSpec* spec);

// A pod of the revision for that node alone.
v1::Pod NewDaemonPod(const v1::Object& owner, const v1::ControllerRevision& revision,
                     const std::string& node, const PassInputs& inputs);

}  // namespace cluster::controller
