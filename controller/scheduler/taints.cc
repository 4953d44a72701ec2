#include "controller/scheduler/taints.h"

#include "absl/strings/str_cat.h"

#include "controller/reconcile/pressure_taints.h"
#include "controller/reconcile/tolerations.h"
#include "proto/schema/pod_resources.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kCordonTaint = "node.kubernetes.io/unschedulable";

bool IsAbove(const v1::PodSpec& spec, const v1::Taint& taint) {
  return taint.key() == kMemoryPressureTaint && taint.effect() == v1::TAINT_EFFECT_NO_SCHEDULE &&
         QosOf(spec) != v1::QOS_CLASS_BEST_EFFORT;
}

}  // namespace

bool Tolerates(const v1::PodSpec& spec, const v1::Taint& taint) {
  for (const v1::Toleration& toleration : spec.tolerations()) {
    if (Covers(toleration, taint)) return true;
  }
  return false;
}

bool IsCordonedFor(const v1::PodSpec& spec, const v1::Node& node) {
  if (!node.spec().unschedulable()) return false;
  v1::Taint cordon;
  cordon.set_key(std::string(kCordonTaint));
  cordon.set_effect(v1::TAINT_EFFECT_NO_SCHEDULE);
  return !Tolerates(spec, cordon);
}

const v1::Taint* UntoleratedTaint(const v1::PodSpec& spec, const v1::Node& node) {
  for (const v1::Taint& taint : node.spec().taints()) {
    if (taint.effect() == v1::TAINT_EFFECT_PREFER_NO_SCHEDULE) continue;
    if (!Tolerates(spec, taint) && !IsAbove(spec, taint)) return &taint;
  }
  return nullptr;
}

int UnwelcomeTaints(const v1::PodSpec& spec, const v1::Node& node) {
  int count = 0;
  for (const v1::Taint& taint : node.spec().taints()) {
    if (taint.effect() != v1::TAINT_EFFECT_PREFER_NO_SCHEDULE) continue;
    if (!Tolerates(spec, taint)) ++count;
  }
  return count;
}

std::string TaintText(const v1::Taint& taint) {
  return absl::StrCat("{", taint.key(), ": ", taint.value(), "}");
}

}  // namespace cluster::controller
