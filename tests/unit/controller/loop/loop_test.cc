#include "controller/loop/loop.h"

#include <deque>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "controller/reconcile/jobs.h"
#include "controller/store/memory_store.h"
#include "tests/domain/builders.h"
#include "tests/domain/job_builders.h"

namespace cluster::controller {
namespace {

// All strands on the thread of the test, by a clock that it moves.
class Turns : public Executor {
 public:
  int64_t Begin() override { return ++strands_; }
  void Post(int64_t strand, absl::Duration delay, Task task) override {
    tasks_.emplace(std::pair(clock.Monotonic() + delay, ++posted_),
                   std::pair(strand, std::move(task)));
  }
  void Call(int64_t strand, const Task& task) override {
    const int64_t before = std::exchange(current_, strand);
    task();
    current_ = before;
  }
  void End(int64_t strand) override {
    std::erase_if(tasks_, [strand](const auto& each) { return each.second.first == strand; });
  }
  bool IsCurrent(int64_t strand) const override { return strand == current_; }

  void RunFor(absl::Duration time) {
    const absl::Duration end = clock.Monotonic() + time;
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) {
      auto first = tasks_.extract(tasks_.begin());
      clock.Advance(std::max(absl::ZeroDuration(), first.key().first - clock.Monotonic()));
      Call(first.mapped().first, first.mapped().second);
    }
    clock.Advance(std::max(absl::ZeroDuration(), end - clock.Monotonic()));
  }

  FakeClock clock;

 private:
  std::multimap<std::pair<absl::Duration, int64_t>, std::pair<int64_t, Task>> tasks_;
  int64_t strands_ = 0;
  int64_t posted_ = 0;
  int64_t current_ = 0;
};

// A store whose watches can be held back.
class LateStore : public store::Store {
 public:
  explicit LateStore(const Clock* clock) : disk_(store::MemoryStore::Make(clock)) {}

  store::MemoryStore* disk() { return disk_.get(); }
  void Hold() { late_ = true; }
  void Deliver() {
    late_ = false;
    for (Gate* const gate : gates_) gate->Deliver();
  }

  void Submit(store::Txn txn, store::SubmitCallback done) override {
    disk_->Submit(std::move(txn), std::move(done));
  }
  absl::StatusOr<store::Listing> List(const std::string& prefix, store::Rev at) override {
    return disk_->List(prefix, at);
  }
  std::unique_ptr<store::WatchHandle> Watch(const std::string& prefix, store::Rev after,
                                            store::WatchSink* sink) override {
    auto gate = std::make_unique<Gate>(this, sink);
    gate->inner = disk_->Watch(prefix, after, gate.get());
    return gate;
  }
  absl::StatusOr<store::LeaseId> Grant(absl::Duration ttl) override { return disk_->Grant(ttl); }
  absl::Status KeepAlive(store::LeaseId lease) override { return disk_->KeepAlive(lease); }
  absl::Status Revoke(store::LeaseId lease) override { return disk_->Revoke(lease); }
  absl::Status Compact(store::Rev rev) override { return disk_->Compact(rev); }
  store::Rev CurrentRev() override { return disk_->CurrentRev(); }
  store::Rev OldestRev() override { return disk_->OldestRev(); }
  store::Health GetHealth() override { return disk_->GetHealth(); }
  int64_t Term() override { return disk_->Term(); }

 private:
  class Gate : public store::WatchHandle, public store::WatchSink {
   public:
    Gate(LateStore* store, store::WatchSink* sink) : store_(store), sink_(sink) {
      store_->gates_.insert(this);
    }
    ~Gate() override { store_->gates_.erase(this); }

    void OnBatch(const store::Batch& batch) override {
      held_.push_back(batch);
      if (!store_->late_) Deliver();
    }
    void OnProgress(store::Rev rev) override {
      if (!store_->late_) sink_->OnProgress(rev);
    }
    void OnCompacted(store::Rev oldest) override { sink_->OnCompacted(oldest); }
    void Deliver() {
      for (const store::Batch& batch : std::exchange(held_, {})) sink_->OnBatch(batch);
    }

    std::unique_ptr<store::WatchHandle> inner;

   private:
    LateStore* const store_;
    store::WatchSink* const sink_;
    std::deque<store::Batch> held_;
  };

  std::unique_ptr<store::MemoryStore> disk_;
  std::set<Gate*> gates_;
  bool late_ = false;
};

class LoopTest : public testing::Test {
 protected:
  ~LoopTest() override {
    if (loop_ != nullptr) loop_->Stop();
    if (events_ != nullptr) events_->Stop();
    loop_.reset();
    events_.reset();
    cache_.reset();
  }

  void Start() {
    auto cache = Cache::Start(&store_);
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = *std::move(cache);
    auto events = EventRecorder::Start(&store_, &turns_.clock, {}, &turns_);
    ASSERT_TRUE(events.ok()) << events.status();
    events_ = *std::move(events);
    Loop::Parts parts;
    parts.store = &store_;
    parts.cache = cache_.get();
    parts.clock = &turns_.clock;
    parts.events = events_.get();
    parts.contacts = [this] { return contacts_; };
    parts.fatal = [](const absl::Status& why) { FAIL() << why; };
    parts.executor = &turns_;
    LoopOptions options;
    // Nothing is found by a look that was due anyway.
    options.period = absl::Hours(24);
    options.look_at_all = absl::Hours(24);
    options.i_am_not_partitioned = true;
    options.seed = 1;
    auto loop = Loop::Start(std::move(parts), options);
    ASSERT_TRUE(loop.ok()) << loop.status();
    loop_ = *std::move(loop);
  }

  void Put(const v1::Object& object) {
    store::Txn txn;
    txn.ops.push_back({store::Op::Kind::kPut, Key(object), SerializeObject(object), 0});
    ASSERT_TRUE(store_.SubmitAndWait(std::move(txn)).status.ok());
  }

  // Until nothing more comes of it.
  void Rest() {
    turns_.RunFor(absl::Seconds(10));
    const store::Rev rev = store_.CurrentRev();
    turns_.RunFor(absl::Seconds(10));
    ASSERT_EQ(store_.CurrentRev(), rev);
  }

  Turns turns_;
  LateStore store_{&turns_.clock};
  NodeContacts contacts_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<EventRecorder> events_;
  std::unique_ptr<Loop> loop_;
};

// The pod is there though the answer was lost, and the second try was refused. What comes next must
// see it, however late the watch is.
TEST_F(LoopTest, AWriteOfUnknownOutcomeIsSeenBeforeTheNextPass) {
  Put(domain::Namespace("default"));
  Start();
  Rest();
  std::vector<store::Fault> faults = {store::Fault::kUnknownApplied, store::Fault::kUnavailable};
  size_t tries = 0;
  std::set<std::string> pods;
  store_.disk()->SetFaults([&](const store::Txn& txn) {
    bool makes = false;
    for (const store::Op& op : txn.ops) {
      if (!absl::StartsWith(op.key, "pods/")) continue;
      makes = true;
      pods.insert(op.key);
    }
    if (!makes || tries >= faults.size()) return store::Fault::kNone;
    store_.Hold();
    return faults[tries++];
  });
  Put(domain::ReplicaSet("web").Uid("set").Replicas(1));
  turns_.RunFor(absl::Seconds(5));
  ASSERT_EQ(tries, 2u);
  EXPECT_EQ(pods.size(), 1u);
  store_.Deliver();
  Rest();
  EXPECT_EQ(pods.size(), 1u);
  EXPECT_EQ(cache_->List(v1::Object::kPod).entries.size(), 1u);
}

TEST_F(LoopTest, ANodeThatIsLostEndsTheRest) {
  Put(domain::Namespace("default"));
  Put(domain::Node("node1").Uid("node"));
  contacts_["node1"] = {Contact::kReady, turns_.clock.Monotonic()};
  Start();
  Rest();
  const auto is_ready = [&] {
    const EntryPtr node = cache_->Find(v1::Object::kNode, "", "node1");
    for (const v1::Condition& condition : node->object.node().status().conditions()) {
      if (condition.type() == "Ready") return condition.status() == v1::CONDITION_STATUS_TRUE;
    }
    return false;
  };
  ASSERT_TRUE(is_ready());
  contacts_["node1"] = {Contact::kLost, turns_.clock.Monotonic()};
  loop_->Wake();
  turns_.RunFor(absl::Seconds(1));
  EXPECT_FALSE(is_ready());
}

TEST_F(LoopTest, WhatIsDueLaterEndsTheRest) {
  Put(domain::Namespace("default"));
  v1::Object object = NewObject(KindOf(v1::Object::kCronJob));
  MutableMeta(&object)->set_name("tick");
  MutableMeta(&object)->set_namespace_("default");
  MutableMeta(&object)->set_uid("cron");
  MutableMeta(&object)->mutable_creation_timestamp()->set_seconds(
      absl::ToUnixSeconds(turns_.clock.Now()));
  v1::CronJobSpec* spec = object.mutable_cron_job()->mutable_spec();
  spec->set_schedule("0 * * * *");
  *spec->mutable_job_template()->mutable_spec()->mutable_template_()->mutable_spec() =
      domain::Pod("pod").message().spec();
  Put(object);
  Start();
  Rest();
  // Others wake it meanwhile.
  loop_->Wake();
  Rest();
  EXPECT_EQ(cache_->List(v1::Object::kJob).entries.size(), 0u);
  turns_.RunFor(absl::Hours(1));
  EXPECT_EQ(cache_->List(v1::Object::kJob).entries.size(), 1u);
}

// Pods wait for a node all the while.
TEST_F(LoopTest, AClockThatIsSetMovesDeadlinesAlong) {
  Put(domain::Namespace("default"));
  v1::Object web = domain::Deployment("web").Uid("web").Replicas(2);
  web.mutable_deployment()->mutable_spec()->set_progress_deadline_seconds(600);
  Put(web);
  v1::Object work = domain::Job("work").Completions(1).Parallelism(1);
  work.mutable_job()->mutable_spec()->set_active_deadline_seconds(600);
  Put(work);
  Start();
  Rest();
  const auto reason = [&] {
    const EntryPtr now = cache_->Find(v1::Object::kDeployment, "default", "web");
    for (const v1::Condition& condition : now->object.deployment().status().conditions()) {
      if (condition.type() == "Progressing") return condition.reason();
    }
    return std::string();
  };
  const auto is_over = [&] {
    return IsJobFinished(cache_->Find(v1::Object::kJob, "default", "work")->object.job());
  };
  ASSERT_NE(reason(), "");
  for (const absl::Duration step : {absl::Hours(2), -absl::Hours(5)}) {
    turns_.clock.Jump(step);
    loop_->Wake();
    Rest();
    EXPECT_NE(reason(), "ProgressDeadlineExceeded");
    EXPECT_FALSE(is_over());
  }
  turns_.RunFor(absl::Minutes(8));
  EXPECT_NE(reason(), "ProgressDeadlineExceeded");
  EXPECT_FALSE(is_over());
  turns_.RunFor(absl::Minutes(2));
  EXPECT_EQ(reason(), "ProgressDeadlineExceeded");
  EXPECT_TRUE(is_over());
}

}  // namespace
}  // namespace cluster::controller
