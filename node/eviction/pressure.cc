#include "node/eviction/pressure.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

struct Kind {
  const char* type;
  const char* fine_reason;
  const char* fine_message;
  const char* short_reason;
};

constexpr Kind kKinds[] = {{"MemoryPressure", "NodeHasSufficientMemory",
                            "The node has memory enough.", "NodeHasInsufficientMemory"},
                           {"DiskPressure", "NodeHasNoDiskPressure",
                            "The node has disk space enough.", "NodeHasDiskPressure"},
                           {"PIDPressure", "NodeHasSufficientPID",
                            "The node has process ids enough.", "NodeHasInsufficientPID"}};

std::string Describe(const Breach& breach) {
  return absl::StrCat(SignalName(breach.shortage), " is ",
                      AmountText(breach.shortage, breach.observed), ", the threshold is ",
                      AmountText(breach.shortage, breach.threshold), ".");
}

v1::Condition Fine(const Kind& kind) {
  v1::Condition condition;
  condition.set_type(kind.type);
  condition.set_status(v1::CONDITION_STATUS_FALSE);
  condition.set_reason(kind.fine_reason);
  condition.set_message(kind.fine_message);
  return condition;
}

}  // namespace

bool PressureConditions::Observe(const std::vector<Breach>& breaches, absl::Duration now,
                                 absl::Time wall) {
  std::vector<v1::Condition> after;
  for (const Kind& kind : kKinds) {
    const auto breach = std::find_if(breaches.begin(), breaches.end(), [&](const Breach& each) {
      return ConditionName(each.shortage) == kind.type;
    });
    v1::Condition condition = Fine(kind);
    if (breach != breaches.end()) last_breach_[kind.type] = now;
    const auto last = last_breach_.find(kind.type);
    if (last != last_breach_.end() && now - last->second >= hold_ && breach == breaches.end()) {
      last_breach_.erase(last);
    } else if (last != last_breach_.end()) {
      condition.set_status(v1::CONDITION_STATUS_TRUE);
      condition.set_reason(kind.short_reason);
    }
    const auto before =
        std::find_if(conditions_.begin(), conditions_.end(),
                     [&](const v1::Condition& each) { return each.type() == kind.type; });
    const bool same = before != conditions_.end() && before->status() == condition.status();
    if (same) {
      condition = *before;
    } else {
      if (breach != breaches.end()) condition.set_message(Describe(*breach));
      *condition.mutable_last_transition_time() = ToTimestamp(wall);
    }
    after.push_back(std::move(condition));
  }
  const bool changed =
      after.size() != conditions_.size() ||
      !std::equal(after.begin(), after.end(), conditions_.begin(),
                  [](const auto& a, const auto& b) { return a.status() == b.status(); });
  conditions_ = std::move(after);
  return changed;
}

absl::Duration PressureConditions::NextChange() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const auto& [type, last] : last_breach_) next = std::min(next, last + hold_);
  return next;
}

}  // namespace cluster::node
