// A HorizontalPodAutoscaler gives its target as many pods as the load takes, within its bounds, and
// takes none away for a short lull.
#include <algorithm>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/manifests.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

// Shorter than the window of stabilisation, which is five minutes.
constexpr Nanos kLull = 4 * kMinute;

class AutoscaleChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "autoscalers"; }

  void OnTick() override { load_.Set(world_->now(), world_->load()); }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after == nullptr) continue;
      if (change.after->object.has_horizontal_pod_autoscaler()) {
        const auto& spec = change.after->object.horizontal_pod_autoscaler().spec();
        least_.Set(world_->now(), spec.min_replicas());
        most_.Set(world_->now(), spec.max_replicas());
      }
      if (change.before == nullptr || !change.after->object.has_deployment()) continue;
      if (world_->AskedFor(commit.write_id).empty()) CheckScale(change);
    }
  }

  void OnRest() override {
    for (const auto& [key, entry] : truth().All(v1::Object::kHorizontalPodAutoscaler)) {
      const auto& spec = entry->object.horizontal_pod_autoscaler().spec();
      const EntryPtr target =
          truth().Find(v1::Object::kDeployment, "default", spec.scale_target_ref().name());
      if (target == nullptr) continue;
      const v1::Deployment& deployment = target->object.deployment();
      const int replicas = deployment.spec().replicas();
      if (replicas == 0 || deployment.status().ready_replicas() != replicas) continue;
      const int wanted =
          std::clamp(Wanted(world_->load()), spec.min_replicas(), spec.max_replicas());
      // As long as it is a tenth off at most, nothing is done.
      const double off = static_cast<double>(world_->load()) / (replicas * kShare);
      const bool near = off > 0.85 && off < 1.15 && replicas >= spec.min_replicas() &&
                        replicas <= spec.max_replicas();
      if (replicas != wanted && !near) {
        Fail(absl::StrCat(target->key, " has ", replicas, " replicas for ", world_->load(),
                          "m of load, and ", wanted, " are wanted of ", spec.min_replicas(), " to ",
                          spec.max_replicas()));
      }
    }
  }

 private:
  static int Wanted(int load) { return (load + kShare - 1) / kShare; }

  void CheckScale(const Change& change) {
    const v1::Deployment& after = change.after->object.deployment();
    const int before = change.before->object.deployment().spec().replicas();
    const int now = after.spec().replicas();
    if (now == before || !least_.known()) return;
    const Nanos since = SeenSince(*world_);
    if (now > std::max(most_.Highest(since), 0) || now < least_.Lowest(since)) {
      Fail(absl::StrCat(change.after->key, " is scaled to ", now, ", and may have ",
                        least_.Lowest(since), " to ", most_.Highest(since)));
    }
    if (now > before || !world_->fine() || before > most_.Lowest(since)) return;
    // Each pod uses a whole number of thousandths, and a tenth is nothing.
    const int lately = Wanted(load_.Highest(world_->now() - kLull) * 9 / 10) - 1;
    if (now < std::min(lately, most_.Lowest(since))) {
      Fail(absl::StrCat(change.after->key, " is scaled down to ", now, ", and needed ", lately,
                        " within the last minutes"));
    }
  }

  RecentNumber least_;
  RecentNumber most_;
  RecentNumber load_;
};

}  // namespace

std::unique_ptr<Checker> Autoscale(World* world) {
  return std::make_unique<AutoscaleChecker>(world);
}

}  // namespace cluster::sim
