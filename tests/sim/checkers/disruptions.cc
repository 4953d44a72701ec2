// An eviction leaves as many healthy pods as the PodDisruptionBudget says.
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class DisruptionsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "PodDisruptionBudgets"; }

  void OnCommit(const Commit& commit) override {
    const bool eviction = absl::StartsWith(world_->AskedFor(commit.write_id), "evict ");
    for (const Change& change : commit.changes) {
      if (change.before != nullptr && change.before->object.has_pod()) {
        const v1::Pod& before = change.before->object.pod();
        if (IsReady(before) && IsActive(before)) {
          healthy_.Note(change.before->key + before.metadata().uid(), world_->now());
          apps_[change.before->key + before.metadata().uid()] = App(before);
        }
      }
      if (change.after != nullptr && change.after->object.has_pod_disruption_budget()) {
        NoteBudget(change.after->object.pod_disruption_budget());
      }
    }
    if (!eviction) return;
    for (const Change& change : commit.changes) {
      if (change.before == nullptr || !change.before->object.has_pod()) continue;
      const v1::Pod& before = change.before->object.pod();
      const bool ends = change.after == nullptr || IsGoing(Meta(change.after->object));
      if (ends && IsReady(before) && IsActive(before)) CheckBudgets(*change.before);
    }
  }

 private:
  static std::string App(const v1::Pod& pod) {
    const auto found = pod.metadata().labels().find("app");
    return found == pod.metadata().labels().end() ? "" : found->second;
  }

  void NoteBudget(const v1::PodDisruptionBudget& budget) {
    int least = 0;
    if (absl::SimpleAtoi(budget.spec().min_available(), &least)) {
      least_[budget.metadata().uid()].Set(world_->now(), least);
    }
  }

  void CheckBudgets(const Entry& evicted) {
    const std::string app = App(evicted.object.pod());
    const Nanos now = world_->now();
    healthy_.Erase(evicted.key + Meta(evicted.object).uid());
    int left = 0;
    for (const auto& [key, of] : apps_) {
      if (of == app && healthy_.Has(key, now)) ++left;
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kPod)) {
      const v1::Pod& pod = entry->object.pod();
      const bool counted = healthy_.Has(key + pod.metadata().uid(), now);
      if (App(pod) == app && IsReady(pod) && IsActive(pod) && !counted) ++left;
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kPodDisruptionBudget)) {
      const v1::PodDisruptionBudget& budget = entry->object.pod_disruption_budget();
      const auto wanted = budget.spec().selector().match_labels().find("app");
      if (wanted == budget.spec().selector().match_labels().end() || wanted->second != app)
        continue;
      const auto found = least_.find(budget.metadata().uid());
      if (found == least_.end() || left >= found->second.Lowest(now)) continue;
      Fail(absl::StrCat(evicted.key, " was evicted, which leaves ", left, " healthy pods of ", app,
                        ", and ", budget.metadata().name(), " wants ", found->second.Lowest(now)));
    }
  }

  RecentSet healthy_;                          // key and uid of pods
  std::map<std::string, std::string> apps_;    // of those
  std::map<std::string, RecentNumber> least_;  // by uid of the budget
};

}  // namespace

std::unique_ptr<Checker> Disruptions(World* world) {
  return std::make_unique<DisruptionsChecker>(world);
}

}  // namespace cluster::sim
