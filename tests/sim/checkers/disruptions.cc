// An eviction leaves as many healthy pods as the PodDisruptionBudget says.
#include "absl/strings/match.h"
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
    bool budgets = false;
    for (const Change& change : commit.changes) {
      if (change.before != nullptr && change.before->object.has_pod()) {
        const v1::Pod& before = change.before->object.pod();
        if (IsReady(before) && IsActive(before)) {
          healthy_.Note(change.before->key + before.metadata().uid(), world_->now());
          apps_[change.before->key + before.metadata().uid()] = AppOf(before);
        }
      }
      const Entry& entry = change.after != nullptr ? *change.after : *change.before;
      budgets = budgets || entry.object.has_pod_disruption_budget() ||
                entry.object.has_deployment() || entry.object.has_stateful_set();
    }
    if (budgets) NoteBudgets();
    if (!eviction) return;
    for (const Change& change : commit.changes) {
      if (change.before == nullptr || !change.before->object.has_pod()) continue;
      const v1::Pod& before = change.before->object.pod();
      const bool ends = change.after == nullptr || IsGoing(Meta(change.after->object));
      if (ends && IsReady(before) && IsActive(before)) CheckBudgets(*change.before);
    }
  }

 private:
  // Pods of the app that there should be.
  int Expected(const std::string& app) const {
    for (const auto kind : {v1::Object::kDeployment, v1::Object::kStatefulSet}) {
      const EntryPtr entry = truth().Find(kind, "default", app);
      if (entry == nullptr) continue;
      return kind == v1::Object::kDeployment ? entry->object.deployment().spec().replicas()
                                             : entry->object.stateful_set().spec().replicas();
    }
    return 0;
  }

  void NoteBudgets() {
    for (const auto& [key, entry] : truth().All(v1::Object::kPodDisruptionBudget)) {
      const v1::PodDisruptionBudgetSpec& spec = entry->object.pod_disruption_budget().spec();
      const int expected = Expected(spec.selector().match_labels().at("app"));
      const int least = spec.min_available().empty()
                            ? expected - Share(spec.max_unavailable(), expected, true)
                            : Share(spec.min_available(), expected, true);
      least_[Meta(entry->object).uid()].Set(world_->now(), least);
    }
  }

  void CheckBudgets(const Entry& evicted) {
    const std::string app = AppOf(evicted.object.pod());
    const Nanos since = SeenSince(*world_);
    healthy_.Erase(evicted.key + Meta(evicted.object).uid());
    int left = 0;
    for (const auto& [key, of] : apps_) {
      if (of == app && healthy_.Has(key, since)) ++left;
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kPod)) {
      const v1::Pod& pod = entry->object.pod();
      const bool counted = healthy_.Has(key + pod.metadata().uid(), since);
      if (AppOf(pod) == app && IsReady(pod) && IsActive(pod) && !counted) ++left;
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kPodDisruptionBudget)) {
      const v1::PodDisruptionBudget& budget = entry->object.pod_disruption_budget();
      const auto wanted = budget.spec().selector().match_labels().find("app");
      if (wanted == budget.spec().selector().match_labels().end() || wanted->second != app)
        continue;
      const auto found = least_.find(budget.metadata().uid());
      if (found == least_.end() || left >= found->second.Lowest(since)) continue;
      Fail(absl::StrCat(evicted.key, " was evicted, which leaves ", left, " healthy pods of ", app,
                        ", and ", budget.metadata().name(), " wants ",
                        found->second.Lowest(since)));
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
