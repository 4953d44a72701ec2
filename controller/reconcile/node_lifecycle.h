// Nodes: Ready follows the lease, pods of a lost node are replaced elsewhere.
//
// This room writes the Ready condition of a node, and the taints that follow from its pressure
// conditions. Pods of a lost node that a
// controller owns get a deletion timestamp and the reason NodeLost, so that their owner makes new
// ones; pods that nobody would replace stay and only turn not ready, and so do those of DaemonSets,
// which belong to that node.
//
// A pod of a StatefulSet holds a name that exists once (law 8). A node stops such pods by itself
// before its lease is over (unless it is annotated to be kept, and waits for its node); once lease
// and margin are over here, the object goes and the name is free. Where the Node object was deleted
// nothing is known of its lease: the pod ends, and its object goes kUniqueAfterNode later unless
// the node came back.
#pragma once

#include <map>
#include <string>

#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/loss_brake.h"

namespace cluster::controller {

enum class Contact {
  kUnknown,  // not heard of since this controller started, lease not over: leave as it is
  kReady,    // attached, in agreement about its pods
  kLost,     // lease and margin are over: replacements may start
};

struct NodeContact {
  Contact contact = Contact::kUnknown;
  // Monotonic time at which it became so.
  absl::Duration since;
};

constexpr absl::Duration kUniqueAfterNode = absl::Seconds(30);

// By node name; a node that is not in here counts as kUnknown.
using NodeContacts = std::map<std::string, NodeContact>;

struct NodeLifecycleInputs {
  absl::Time now;
  absl::Duration monotonic;
  const NodeContacts* contacts = nullptr;
  LossBrake* brake = nullptr;
};

Changes ReconcileNodes(const View& view, const NodeLifecycleInputs& inputs);

}  // namespace cluster::controller
