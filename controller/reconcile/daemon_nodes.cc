#include "controller/reconcile/daemon_nodes.h"

#include <algorithm>

#include "controller/object/node_choice.h"
#include "controller/reconcile/set_pods.h"
#include "controller/scheduler/taints.h"

namespace cluster::controller {
namespace {

struct Tolerated {
  const char* key;
  v1::TaintEffect effect;
};

constexpr Tolerated kTolerated[] = {
    {"node.kubernetes.io/not-ready", v1::TAINT_EFFECT_NO_EXECUTE},
    {"node.kubernetes.io/unreachable", v1::TAINT_EFFECT_NO_EXECUTE},
    {"node.kubernetes.io/disk-pressure", v1::TAINT_EFFECT_NO_SCHEDULE},
    {"node.kubernetes.io/memory-pressure", v1::TAINT_EFFECT_NO_SCHEDULE},
    {"node.kubernetes.io/pid-pressure", v1::TAINT_EFFECT_NO_SCHEDULE},
    {"node.kubernetes.io/unschedulable", v1::TAINT_EFFECT_NO_SCHEDULE},
};
// Of pods in the node's own network.
constexpr Tolerated kNetworkUnavailable = {"node.kubernetes.io/network-unavailable",
                                           v1::TAINT_EFFECT_NO_SCHEDULE};

void Add(const Tolerated& tolerated, v1::PodSpec* spec) {
  const bool there = std::any_of(
      spec->tolerations().begin(), spec->tolerations().end(), [&](const v1::Toleration& each) {
        return each.key() == tolerated.key && each.effect() == tolerated.effect &&
               each.operator_() == v1::TOLERATION_OPERATOR_EXISTS;
      });
  if (there) return;
  v1::Toleration* toleration = spec->add_tolerations();
  toleration->set_key(tolerated.key);
  toleration->set_operator_(v1::TOLERATION_OPERATOR_EXISTS);
  toleration->set_effect(tolerated.effect);
}

}  // namespace

void AddDaemonTolerations(v1::PodSpec* spec) {
  for (const Tolerated& tolerated : kTolerated) Add(tolerated, spec);
  if (spec->host_network()) Add(kNetworkUnavailable, spec);
}

DaemonVerdict JudgeNode(const v1::DaemonSet& set, const v1::Node& node) {
  const v1::PodSpec& wanted = set.spec().template_().spec();
  if (!WantsNode(wanted, node)) return {};
  DaemonVerdict verdict{true, true};
  if (node.spec().taints().empty()) return verdict;
  v1::PodSpec tolerating;
  *tolerating.mutable_tolerations() = wanted.tolerations();
  tolerating.set_host_network(wanted.host_network());
  AddDaemonTolerations(&tolerating);
  for (const v1::Taint& taint : node.spec().taints()) {
    if (taint.effect() == v1::TAINT_EFFECT_PREFER_NO_SCHEDULE) continue;
    if (Tolerates(tolerating, taint)) continue;
    verdict.should_run = false;
    if (taint.effect() == v1::TAINT_EFFECT_NO_EXECUTE) verdict.may_stay = false;
  }
  return verdict;
}

v1::Pod NewDaemonPod(const v1::Object& owner, const v1::ControllerRevision& revision,
                     const std::string& node, const PassInputs& inputs) {
  const v1::ObjectMeta& meta = Meta(owner);
  v1::Pod pod = PodFromTemplate(owner, revision.data(), "", inputs);
  do {
    pod.mutable_metadata()->set_name(JoinName(meta.name(), RandomSuffix(inputs.random)));
  } while (inputs.view->Find(v1::Object::kPod, meta.namespace_(), pod.metadata().name()) !=
           nullptr);
  (*pod.mutable_metadata()->mutable_labels())[std::string(kRevisionLabel)] = HashOf(revision);
  AddDaemonTolerations(pod.mutable_spec());
  PinToNode(node, pod.mutable_spec());
  return pod;
}

}  // namespace cluster::controller
