#include "controller/reconcile/pressure_taints.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/string_view.h"

#include "controller/reconcile/conditions.h"

namespace cluster::controller {
namespace {

struct Pair {
  const char* condition;
  const char* taint;
};

constexpr Pair kPairs[] = {{"MemoryPressure", kMemoryPressureTaint},
                           {"DiskPressure", kDiskPressureTaint},
                           {"PIDPressure", kPidPressureTaint}};

bool IsPressureTaint(const v1::Taint& taint, absl::string_view key) {
  return taint.key() == key && taint.effect() == v1::TAINT_EFFECT_NO_SCHEDULE;
}

}  // namespace

bool PressureDiffers(const v1::Node& node) {
  return std::any_of(std::begin(kPairs), std::end(kPairs), [&node](const Pair& pair) {
    const auto& taints = node.spec().taints();
    const bool tainted = std::any_of(taints.begin(), taints.end(), [&pair](const auto& taint) {
      return IsPressureTaint(taint, pair.taint);
    });
    return tainted != IsTrue(node.status().conditions(), pair.condition);
  });
}

bool FollowPressure(v1::Node* node) {
  bool changed = false;
  for (const auto& [condition, key] : kPairs) {
    auto* taints = node->mutable_spec()->mutable_taints();
    const auto found = std::find_if(taints->begin(), taints->end(), [key = key](const auto& taint) {
      return IsPressureTaint(taint, key);
    });
    const bool wanted = IsTrue(node->status().conditions(), condition);
    if (wanted == (found != taints->end())) continue;
    if (wanted) {
      v1::Taint* taint = taints->Add();
      taint->set_key(key);
      taint->set_effect(v1::TAINT_EFFECT_NO_SCHEDULE);
    } else {
      taints->erase(found);
    }
    changed = true;
  }
  return changed;
}

}  // namespace cluster::controller
