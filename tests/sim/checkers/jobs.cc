// A Job counts each end of a pod once, never more successes than it has, and is never given more
// pods than it may have at a time.
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

constexpr absl::string_view kTracked = "batch.kubernetes.io/job-tracking";

bool IsTracked(const v1::ObjectMeta& meta) {
  for (const std::string& each : meta.finalizers()) {
    if (each == kTracked) return true;
  }
  return false;
}

std::string IndexOf(const v1::Pod& pod) {
  const auto& annotations = pod.metadata().annotations();
  const auto found = annotations.find("batch.kubernetes.io/job-completion-index");
  return found == annotations.end() ? "" : found->second;
}

class JobsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "what Jobs count"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.before != nullptr && change.before->object.has_pod()) NoteCounted(change);
      if (change.before == nullptr && change.after->object.has_pod()) CheckBirth(*change.after);
    }
    for (const Change& change : commit.changes) {
      if (change.after != nullptr && change.after->object.has_job()) CheckJob(change);
    }
  }

 private:
  struct Counted {
    std::set<std::string> succeeded;  // uids, or indexes
    std::set<std::string> failed;
  };

  // A pod that has lost its finalizer is counted.
  void NoteCounted(const Change& change) {
    const v1::Pod& before = change.before->object.pod();
    const v1::OwnerReference* owner = OwnerOf(before.metadata(), "Job");
    if (owner == nullptr || !IsTracked(before.metadata())) return;
    if (change.after != nullptr && IsTracked(Meta(change.after->object))) return;
    const v1::Pod& last = change.after != nullptr ? change.after->object.pod() : before;
    const std::string index = IndexOf(last);
    const std::string id = index.empty() ? last.metadata().uid() : index;
    if (last.status().phase() == v1::POD_PHASE_SUCCEEDED)
      counted_[owner->uid()].succeeded.insert(id);
  }

  void CheckJob(const Change& change) {
    const v1::Job& job = change.after->object.job();
    const std::string& uid = job.metadata().uid();
    parallelism_[uid].Set(world_->now(), job.spec().parallelism());
    const int succeeded = job.status().succeeded();
    if (job.spec().completions() > 0 && succeeded > job.spec().completions()) {
      Fail(absl::StrCat(job.metadata().name(), " counts ", succeeded, " successes of ",
                        job.spec().completions()));
    }
    if (change.before != nullptr && Meta(change.before->object).uid() == uid) {
      const v1::Job& before = change.before->object.job();
      if (succeeded < before.status().succeeded()) {
        Fail(absl::StrCat(job.metadata().name(), " counts ", succeeded, " successes after ",
                          before.status().succeeded()));
      }
      for (const char* end : {"Complete", "Failed"}) {
        if (Holds(before.status().conditions(), end) && !Holds(job.status().conditions(), end)) {
          Fail(absl::StrCat(job.metadata().name(), " is not ", end, " any more"));
        }
      }
    }
    const int known = static_cast<int>(counted_[uid].succeeded.size());
    if (succeeded != known && !IsGoing(job.metadata())) {
      Fail(absl::StrCat(job.metadata().name(), " counts ", succeeded, " successes, and ", known,
                        " of its pods have succeeded and were let go"));
    }
  }

  void CheckBirth(const Entry& entry) {
    const v1::OwnerReference* owner = OwnerOf(Meta(entry.object), "Job");
    if (owner == nullptr) return;
    const auto found = parallelism_.find(owner->uid());
    if (found == parallelism_.end()) return;
    int active = 0;
    for (const EntryPtr& pod : truth().OwnedBy(v1::Object::kPod, owner->uid())) {
      if (IsActive(pod->object.pod())) ++active;
    }
    if (active > found->second.Highest(world_->now())) {
      Fail(absl::StrCat(owner->name(), " has ", active, " pods at a time, and may have ",
                        found->second.Highest(world_->now())));
    }
  }

  std::map<std::string, Counted> counted_;           // by uid of the Job
  std::map<std::string, RecentNumber> parallelism_;  // by uid of the Job
};

}  // namespace

std::unique_ptr<Checker> Jobs(World* world) { return std::make_unique<JobsChecker>(world); }

}  // namespace cluster::sim
