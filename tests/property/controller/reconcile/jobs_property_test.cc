// Jobs live through random days: their pods succeed, fail, are deleted, lose their node; users
// suspend, scale and delete; writes are lost, or come too late. A ledger beside the controller
// counts the ends of pods, and after every commit the jobs say the same. A failure prints its seed.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/object/claims.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/jobs.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/reconcile.h"
#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/job_builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::World;

constexpr char kFinalizer[] = "batch.kubernetes.io/job-tracking";

bool Held(const v1::Pod& pod) { return HasFinalizer(pod.metadata(), kFinalizer); }

// What became of the pods of one job, seen from outside.
struct Ledger {
  std::set<std::string> succeeded;
  std::set<std::string> failed;
  std::set<std::string> stopped;  // ended by the controller while they ran; not counted
  std::set<int> indexes;          // that have succeeded
  bool Knows(const std::string& uid) const {
    return succeeded.contains(uid) || failed.contains(uid) || stopped.contains(uid);
  }
};

class JobLife {
 public:
  JobLife(uint64_t seed, bool faults) : random_(seed), names_(seed), faults_(faults) {
    world_.Put(domain::Namespace("default"));
    for (int i = 0; i < 3; ++i) AddNode(i);
    for (int i = 0; i < 2; ++i) MakeJob(absl::StrCat("job", i));
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      now_ += absl::Seconds(Below(20));
      const int choice = Below(12);
      if (choice == 0) {
        UserActs();
      } else if (choice == 1) {
        DisturbNode();
      } else {
        AdvanceSome();
      }
      if (Below(2) == 0) Pass();
    }
  }

  // Nothing is lost any more, and pods succeed: every job comes to its end.
  void Finish() {
    faults_ = false;
    calm_ = true;
    for (int i = 0; i < 3; ++i) AddNode(i);
    for (const std::string& key : JobKeys()) {
      Edit(key, [](v1::JobSpec* spec) {
        spec->set_suspend(false);
        spec->set_parallelism(std::max(1, spec->parallelism()));
      });
    }
    for (int round = 0; round < 200 && !::testing::Test::HasFailure(); ++round) {
      now_ += absl::Minutes(1);
      Pass();
      for (const EntryPtr& pod : Pods()) Advance(pod);
    }
    for (const std::string& key : JobKeys()) {
      const v1::Job job = JobOf(key);
      EXPECT_TRUE(IsJobFinished(job)) << job.ShortDebugString();
      EXPECT_EQ(job.status().active(), 0) << key;
    }
    size_t known = 0;
    for (const auto& [uid, ledger] : ledgers_) {
      known += ledger.succeeded.size() + ledger.failed.size() + ledger.stopped.size();
    }
    EXPECT_EQ(known, seen_.size()) << "a pod went without a word";
    for (const EntryPtr& pod : Pods()) {
      EXPECT_FALSE(Held(pod->object.pod())) << pod->key << " is held for ever";
    }
  }

 private:
  int Below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }

  void AddNode(int i) {
    const std::string name = absl::StrCat("n", i);
    if (world_.Find("nodes/" + name) == nullptr) world_.Put(Node(name));
    contacts_[name] = {Contact::kReady, absl::ZeroDuration()};
  }

  void MakeJob(const std::string& name) {
    domain::Job job(name);
    job.Completions(1 + Below(6)).Parallelism(1 + Below(4)).Backoff(Below(2) == 0 ? 1'000 : 3);
    if (Below(2) == 0) job.Indexed();
    if (Below(3) == 0) {
      job.job()->set_pod_replacement_policy(v1::POD_REPLACEMENT_POLICY_FAILED);
    }
    if (job.job()->completion_mode() == v1::COMPLETION_MODE_INDEXED && Below(2) == 0) {
      job.Backoff(1'000'000);
      job.job()->set_backoff_limit_per_index(Below(3));
    }
    world_.Put(job);
    ledgers_[Meta(job.get()).uid()] = {};
  }

  std::vector<std::string> JobKeys() const {
    std::vector<std::string> keys;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kJob)) keys.push_back(key);
    return keys;
  }
  v1::Job JobOf(const std::string& key) const { return world_.Find(key)->object.job(); }
  std::vector<EntryPtr> Pods() const {
    std::vector<EntryPtr> pods;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) pods.push_back(entry);
    return pods;
  }

  // ---- what happens ----

  template <typename Change>
  void Edit(const std::string& key, Change change) {
    v1::Object after = world_.Find(key)->object;
    if (IsJobFinished(after.job())) return;
    change(after.mutable_job()->mutable_spec());
    world_.Put(after);
  }

  void UserActs() {
    const std::vector<std::string> keys = JobKeys();
    if (keys.empty()) return;
    const std::string key = keys[static_cast<size_t>(Below(static_cast<int>(keys.size())))];
    switch (Below(4)) {
      case 0:
        return Edit(key, [](v1::JobSpec* spec) { spec->set_suspend(!spec->suspend()); });
      case 1:
        return Edit(key, [this](v1::JobSpec* spec) { spec->set_parallelism(Below(5)); });
      default:
        if (const EntryPtr pod = SomePod(); pod != nullptr) DeletePod(pod);
    }
  }

  EntryPtr SomePod() {
    const std::vector<EntryPtr> pods = Pods();
    if (pods.empty()) return nullptr;
    return pods[static_cast<size_t>(Below(static_cast<int>(pods.size())))];
  }

  // As the API does.
  void DeletePod(const EntryPtr& entry) {
    const v1::Pod& pod = entry->object.pod();
    if (IsTerminating(pod)) return;
    if (!IsBound(pod) && pod.metadata().finalizers().empty()) return world_.Remove(entry->key);
    v1::Object after = entry->object;
    StampDeletion(now_, std::nullopt, after.mutable_pod());
    world_.Put(after);
  }

  void DisturbNode() {
    const int i = Below(3);
    const std::string name = absl::StrCat("n", i);
    NodeContact& contact = contacts_[name];
    if (Below(4) == 0) {
      world_.Remove("nodes/" + name);
      contacts_.erase(name);
    } else if (world_.Find("nodes/" + name) == nullptr || contact.contact == Contact::kLost) {
      AddNode(i);
    } else {
      contact = {Contact::kLost, now_ - absl::UnixEpoch()};
    }
  }

  void AdvanceSome() {
    for (int i = 0; i < 3; ++i) {
      if (const EntryPtr pod = SomePod(); pod != nullptr) Advance(pod);
    }
  }

  // What its node does to a pod next.
  void Advance(const EntryPtr& entry) {
    const v1::Pod& pod = entry->object.pod();
    const auto contact = contacts_.find(pod.spec().node_name());
    if (contact == contacts_.end() || contact->second.contact == Contact::kLost) return;
    v1::Object after = entry->object;
    v1::PodStatus* status = after.mutable_pod()->mutable_status();
    if (IsFinished(pod)) {
      // It is gone once nothing holds it.
      if (IsTerminating(pod) && pod.metadata().finalizers().empty()) world_.Remove(entry->key);
      return;
    }
    if (status->phase() == v1::POD_PHASE_PENDING && !IsTerminating(pod)) {
      status->set_phase(v1::POD_PHASE_RUNNING);
      *status->mutable_start_time() = Seconds(now_);
    } else {
      const bool fails = IsTerminating(pod) ? Below(3) != 0 : !calm_ && Below(3) == 0;
      status->set_phase(fails ? v1::POD_PHASE_FAILED : v1::POD_PHASE_SUCCEEDED);
      v1::ContainerStatus* container = status->add_container_statuses();
      container->set_name("main");
      auto* end = container->mutable_state()->mutable_terminated();
      end->set_exit_code(fails ? 1 : 0);
      *end->mutable_finished_at() = Seconds(now_);
    }
    world_.Put(after);
  }

  // ---- the ledger ----

  static std::optional<v1::Job> OwnerIn(const View& view, const v1::Pod& pod) {
    const v1::OwnerReference* owner = ControllerOf(pod.metadata());
    const EntryPtr job = owner == nullptr ? nullptr : view.FindUid(owner->uid());
    if (job == nullptr) return std::nullopt;
    return job->object.job();
  }

  static int Successes(const v1::Job& job, const Ledger& ledger) {
    return static_cast<int>(job.spec().completion_mode() == v1::COMPLETION_MODE_INDEXED
                                ? ledger.indexes.size()
                                : ledger.succeeded.size());
  }

  // Pods that this commit let go of: what they were to the controller when it did.
  void NoteReleases(const std::map<std::string, v1::Pod>& held) {
    for (const auto& [key, pod] : held) {
      const EntryPtr now = world_.Find(key);
      if (now != nullptr && Held(now->object.pod())) continue;
      const std::optional<v1::Job> job = OwnerIn(world_.view(), pod);
      ASSERT_TRUE(job.has_value()) << key;
      Ledger& ledger = ledgers_[job->metadata().uid()];
      const std::string& uid = pod.metadata().uid();
      ASSERT_FALSE(ledger.Knows(uid)) << key << " is let go of twice";
      const bool ending_counts =
          job->spec().pod_replacement_policy() == v1::POD_REPLACEMENT_POLICY_TERMINATING_OR_FAILED;
      const bool over = IsTrue(job->status().conditions(), "FailureTarget");
      if (pod.status().phase() == v1::POD_PHASE_SUCCEEDED) {
        ledger.succeeded.insert(uid);
        if (job->spec().completion_mode() == v1::COMPLETION_MODE_INDEXED) {
          ledger.indexes.insert(std::stoi(
              pod.metadata().annotations().at("batch.kubernetes.io/job-completion-index")));
        }
      } else if (pod.status().phase() == v1::POD_PHASE_FAILED || over ||
                 (ending_counts && IsTerminating(pod))) {
        ledger.failed.insert(uid);
      } else {
        ledger.stopped.insert(uid);
      }
    }
  }

  // ---- the controller ----

  void Pass() {
    world_.Pack();
    const View seen = world_.view();
    const NodeContacts contacts = contacts_;
    Changes changes =
        Reconcile(seen, {now_, now_ - absl::UnixEpoch(), &contacts, &brake_, &names_});
    MergeChanges(PlanChanges(seen, ComputePlan(seen, {}, now_), now_), &changes);
    // Somebody else writes between the look and the commit.
    if (faults_ && Below(3) == 0) AdvanceSome();
    const std::map<std::string, int> before = ActiveCounts();
    for (size_t begin = 0; begin < changes.writes.size();) {
      Changes group;
      size_t end = begin;
      do {
        group.writes.push_back(changes.writes[end++]);
      } while (end < changes.writes.size() && changes.writes[end].with_previous);
      begin = end;
      if (faults_ && Below(5) == 0) continue;
      std::map<std::string, v1::Pod> held;
      for (const EntryPtr& pod : Pods()) {
        if (!Held(pod->object.pod())) continue;
        held[pod->key] = pod->object.pod();
        seen_.insert(Meta(pod->object).uid());
      }
      world_.Commit(group);
      NoteReleases(held);
      Check(before);
    }
  }

  std::map<std::string, int> ActiveCounts() const {
    std::map<std::string, int> counts;
    for (const EntryPtr& pod : Pods()) {
      const std::optional<v1::Job> job = OwnerIn(world_.view(), pod->object.pod());
      if (job.has_value() && IsActive(pod->object.pod())) ++counts[job->metadata().uid()];
    }
    return counts;
  }

  void Check(const std::map<std::string, int>& before) {
    const std::map<std::string, int> active = ActiveCounts();
    for (const std::string& key : JobKeys()) {
      const v1::Job job = JobOf(key);
      const std::string& uid = job.metadata().uid();
      const Ledger& ledger = ledgers_[uid];
      ASSERT_EQ(job.status().succeeded(), Successes(job, ledger)) << key;
      ASSERT_EQ(job.status().failed(), static_cast<int>(ledger.failed.size())) << key;
      ASSERT_LE(job.status().succeeded(), job.spec().completions()) << key;
      const auto now = active.find(uid);
      const auto was = before.find(uid);
      ASSERT_LE(now == active.end() ? 0 : now->second,
                std::max(job.spec().parallelism(), was == before.end() ? 0 : was->second))
          << key << " runs too many at once";
    }
  }

  std::mt19937_64 random_;
  Random names_;
  bool faults_;
  bool calm_ = false;
  World world_;
  NodeContacts contacts_;
  LossBrake brake_{true};
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  std::map<std::string, Ledger> ledgers_;  // by uid of the job
  std::set<std::string> seen_;             // uids of all pods that were ever held
};

#ifdef CLUSTER_SANITIZED
constexpr int kJobLives = 10;
#else
constexpr int kJobLives = 100;
#endif

class JobLaws : public ::testing::TestWithParam<int> {
 protected:
  void Live(bool faults) {
    for (int i = 0; i < kJobLives && !HasFailure(); ++i) {
      const auto seed = static_cast<uint64_t>(1000 * GetParam() + i);
      SCOPED_TRACE(absl::StrCat("seed ", seed));
      JobLife life(seed, faults);
      life.Run(150);
      life.Finish();
    }
  }
};

TEST_P(JobLaws, Behaviour44EveryEndIsCountedOnce) { Live(false); }
TEST_P(JobLaws, Behaviour44EveryEndIsCountedOnceThoughWritesAreLost) { Live(true); }

INSTANTIATE_TEST_SUITE_P(Seeds, JobLaws, ::testing::Range(0, 3));

}  // namespace
}  // namespace cluster::controller
