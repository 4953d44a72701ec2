#include "controller/reconcile/node_lifecycle.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/pressure_taints.h"
#include "proto/schema/pod_tuning.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kNodeController = "node-controller";
constexpr absl::string_view kReadyCondition = "Ready";
constexpr absl::string_view kNodeLost = kNodeLostReason;
constexpr absl::string_view kNodeDeleted = "NodeDeleted";

bool IsOwnedBy(v1::Object::ObjectCase kind, const v1::Pod& pod) {
  const v1::OwnerReference* owner = ControllerOf(pod.metadata());
  return owner != nullptr && owner->kind() == KindOf(kind).name;
}

Contact ContactOf(const NodeContacts& contacts, const std::string& node) {
  const auto contact = contacts.find(node);
  return contact == contacts.end() ? Contact::kUnknown : contact->second.contact;
}

// Why pods of a lost node are not replaced at once, and what would change it.
absl::string_view HeldBackBy(BrakeState state) {
  switch (state) {
    case BrakeState::kOpen:
      return "Its pods are not replaced yet: after those of five nodes, those of one more node "
             "follow every ten seconds.";
    case BrakeState::kDegraded:
      return "Its pods are not replaced yet: a fifth of all nodes was lost within a minute, so "
             "those of one node follow every thirty seconds.";
    case BrakeState::kIsolated:
      return "Its pods are not replaced: more than half of all nodes are lost, so it is this "
             "controller that is cut off, most likely. It goes on when nodes are back, or when the "
             "controller is started with --i-am-not-partitioned.";
  }
  return "";
}

// `held_back`: empty where the pods of a lost node are replaced.
ConditionUpdate ReadyUpdate(Contact contact, absl::string_view held_back) {
  if (contact == Contact::kReady) {
    return {kReadyCondition, v1::CONDITION_STATUS_TRUE, "AgentReady",
            "The node's agent is attached and answers."};
  }
  return {kReadyCondition, v1::CONDITION_STATUS_UNKNOWN, "LeaseExpired",
          absl::StrCat("The node's agent was not heard of before its lease ended; check the "
                       "machine and its network.",
                       held_back.empty() ? "" : " ", held_back)};
}

bool IsAsIn(const ConditionUpdate& wanted, const v1::Condition* condition) {
  return condition != nullptr && condition->status() == wanted.status &&
         condition->reason() == wanted.reason && condition->message() == wanted.message;
}

void UpdateNode(const Entry& entry, Contact contact, absl::string_view held_back, absl::Time now,
                Changes* changes) {
  if (contact == Contact::kUnknown) return;
  const ConditionUpdate wanted = ReadyUpdate(contact, held_back);
  const v1::NodeStatus& before = entry.object.node().status();
  if (IsAsIn(wanted, FindCondition(before.conditions(), kReadyCondition)) &&
      !PressureDiffers(entry.object.node())) {
    return;
  }
  v1::Object after = entry.object;
  auto* conditions = after.mutable_node()->mutable_status()->mutable_conditions();
  const bool was_ready = IsTrue(*conditions, kReadyCondition);
  const bool news = SetCondition(wanted, now, conditions);
  if (!FollowPressure(after.mutable_node()) && !news) return;
  if (was_ready != (contact == Contact::kReady)) {
    changes->events.push_back(
        contact == Contact::kReady
            ? MakeEvent(after, "Normal", "NodeReady", "Node is ready", kNodeController)
            : MakeEvent(after, "Warning", "NodeNotReady",
                        "Node is not ready: its lease ended without a beat", kNodeController));
  }
  if (news && !held_back.empty()) {
    changes->events.push_back(MakeEvent(after, "Warning", "ReplacementHeldBack",
                                        std::string(held_back), kNodeController));
  }
  changes->Put(entry, std::move(after));
}

void MarkLost(const std::string& node, absl::Time now, v1::Pod* pod) {
  SetCondition({kReadyCondition, v1::CONDITION_STATUS_FALSE, kNodeLost,
                absl::StrCat("Node ", node, " is not heard of; what runs there is unknown.")},
               now, pod->mutable_status()->mutable_conditions());
}

// The node has stopped it, as its lease is over: the name is free.
void FreeName(const Entry& entry, Changes* changes) {
  const std::string& node = entry.object.pod().spec().node_name();
  changes->events.push_back(
      MakeEvent(entry.object, "Warning", kNodeLost,
                absl::StrCat("Node ", node, " is lost and has stopped the pod; replacing it"),
                kNodeController));
  changes->Delete(entry);
}

// Pods that their owner makes anew end here; the others wait for the node.
void LosePod(const Entry& entry, bool replace, absl::Time now, Changes* changes) {
  const v1::Pod& before = entry.object.pod();
  // Only their own node may have them: it may run them all the while.
  if (OnDisconnectOf(before.metadata()) == OnDisconnect::kKeep) replace = false;
  if (replace && IsOwnedBy(v1::Object::kStatefulSet, before)) return FreeName(entry, changes);
  if (IsFinished(before)) return;
  const std::string& node = before.spec().node_name();
  v1::Object after = entry.object;
  v1::Pod* pod = after.mutable_pod();
  const bool ends = replace && !IsTerminating(before) &&
                    ControllerOf(before.metadata()) != nullptr &&
                    !IsOwnedBy(v1::Object::kDaemonSet, before);
  const v1::Condition* ready = FindCondition(before.status().conditions(), kReadyCondition);
  if (!ends && ready != nullptr && ready->reason() == kNodeLost) return;
  MarkLost(node, now, pod);
  if (ends) {
    StampDeletion(now, std::nullopt, pod);
    MarkDisrupted("DeletionByTaintManager",
                  absl::StrCat("Node ", node, " is lost; the pod is replaced on another node."),
                  now, pod);
    pod->mutable_status()->set_reason(std::string(kNodeLost));
    pod->mutable_status()->set_message(
        absl::StrCat("Node ", node, " is lost; the pod is replaced on another node."));
    changes->events.push_back(MakeEvent(after, "Warning", kNodeLost,
                                        absl::StrCat("Node ", node, " is lost; replacing the pod"),
                                        kNodeController));
  }
  changes->Put(entry, std::move(after));
}

// The node is back and the pod was never given up: its containers tell whether it is ready.
void RestorePod(const Entry& entry, absl::Time now, Changes* changes) {
  const auto& conditions = entry.object.pod().status().conditions();
  const v1::Condition* ready = FindCondition(conditions, kReadyCondition);
  if (ready == nullptr || ready->reason() != kNodeLost) return;
  v1::Object after = entry.object;
  const bool is_ready = IsTrue(conditions, "ContainersReady");
  SetCondition(
      {kReadyCondition, is_ready ? v1::CONDITION_STATUS_TRUE : v1::CONDITION_STATUS_FALSE, "", ""},
      now, after.mutable_pod()->mutable_status()->mutable_conditions());
  changes->Put(entry, std::move(after));
}

void EndUnique(const Entry& entry, absl::Time now, Changes* changes) {
  const v1::Pod& before = entry.object.pod();
  if (before.status().reason() == kNodeDeleted) {
    const absl::Time at = ToTime(before.metadata().deletion_timestamp()) + kUniqueAfterNode;
    if (at <= now) {
      changes->Delete(entry);
    } else {
      changes->WakeAt(at);
    }
    return;
  }
  v1::Object after = entry.object;
  v1::Pod* pod = after.mutable_pod();
  StampDeletion(now, std::nullopt, pod);
  MarkLost(before.spec().node_name(), now, pod);
  pod->mutable_status()->set_reason(std::string(kNodeDeleted));
  pod->mutable_status()->set_message(
      absl::StrCat("Node ", before.spec().node_name(),
                   " was deleted; the pod is replaced when it cannot run there any more."));
  changes->Put(entry, std::move(after));
}

// Of a pod that something still holds: it has ended, for whoever counts it.
void FailWithoutNode(const Entry& entry, absl::Time now, Changes* changes) {
  if (IsFinished(entry.object.pod()) && IsTerminating(entry.object.pod())) return;
  v1::Object after = entry.object;
  v1::Pod* pod = after.mutable_pod();
  if (!IsFinished(*pod)) {
    MarkDisrupted("DeletionByPodGC", "PodGC: node no longer exists", now, pod);
    MarkFailed(absl::StrCat("Node ", pod->spec().node_name(), " no longer exists."), pod);
  }
  if (!IsTerminating(*pod)) StampDeletion(now, 0, pod);
  changes->Put(entry, std::move(after));
}

// Pods of a node object that was deleted. One that a user bound to a node that never was stays: it
// waits for that node.
void RemovePodsWithoutNode(const View& view, absl::Time now, Changes* changes) {
  for (const EntryPtr& entry : view.PodsOfMissingNodes()) {
    const v1::Pod& pod = entry->object.pod();
    const bool had_node =
        pod.status().has_start_time() || IsTrue(pod.status().conditions(), "PodScheduled");
    if (!had_node && !IsTerminating(pod)) continue;
    if (IsOwnedBy(v1::Object::kStatefulSet, pod) && !IsFinished(pod)) {
      EndUnique(*entry, now, changes);
    } else if (pod.metadata().finalizers().empty()) {
      changes->Delete(*entry);
    } else {
      FailWithoutNode(*entry, now, changes);
    }
  }
}

LossBrake::Decision AskBrake(const View& view, const NodeLifecycleInputs& inputs) {
  std::vector<LostNode> lost;
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    const std::string& name = entry->object.node().metadata().name();
    const auto contact = inputs.contacts->find(name);
    if (contact == inputs.contacts->end() || contact->second.contact != Contact::kLost) continue;
    lost.push_back({name, contact->second.since});
  }
  return inputs.brake->Decide(view.All(v1::Object::kNode).size(), std::move(lost),
                              inputs.monotonic);
}

}  // namespace

Changes ReconcileNodes(const View& view, const NodeLifecycleInputs& inputs) {
  Changes changes;
  const LossBrake::Decision decision = AskBrake(view, inputs);
  const std::set<std::string> replace(decision.replace.begin(), decision.replace.end());
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    const std::string& name = entry->object.node().metadata().name();
    const Contact contact = ContactOf(*inputs.contacts, name);
    const bool held_back = contact == Contact::kLost && !replace.contains(name);
    UpdateNode(*entry, contact, held_back ? HeldBackBy(decision.state) : "", inputs.now, &changes);
    if (contact != Contact::kLost) continue;
    for (const EntryPtr& pod : view.PodsOnNode(name)) {
      LosePod(*pod, replace.contains(name), inputs.now, &changes);
    }
  }
  for (const EntryPtr& pod : view.PodsOfLostNodes()) {
    const std::string& node = pod->object.pod().spec().node_name();
    if (view.Find(v1::Object::kNode, "", node) == nullptr) continue;
    if (ContactOf(*inputs.contacts, node) != Contact::kReady) continue;
    RestorePod(*pod, inputs.now, &changes);
  }
  RemovePodsWithoutNode(view, inputs.now, &changes);
  if (decision.next != absl::InfiniteDuration()) {
    changes.WakeAt(inputs.now + (decision.next - inputs.monotonic));
  }
  return changes;
}

}  // namespace cluster::controller
