#include "controller/session/hub.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/store/memory_store.h"
#include "proto/schema/assignments_digest.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

// One agent's end of a session.
class FakeLink : public AgentLink {
 public:
  explicit FakeLink(std::string node) : node_(std::move(node)) {}

  // On the hub's strand.
  void Send(v1::ControllerMessage message) override {
    MutexLock lock(&mutex_);
    received_.push_back(std::move(message));
    changed_.SignalAll();
  }
  void Close(const absl::Status& why) override {
    MutexLock lock(&mutex_);
    closed_ = why;
    changed_.SignalAll();
  }

  // False after ten seconds without.
  bool AwaitMessage(const std::function<bool(const v1::ControllerMessage&)>& wanted) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    MutexLock lock(&mutex_);
    while (true) {
      for (const v1::ControllerMessage& message : received_) {
        if (wanted(message)) return true;
      }
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(&mutex_, left);
    }
  }
  bool AwaitWelcome() {
    return AwaitMessage([](const auto& message) { return message.has_welcome(); });
  }
  // False when it is closed instead.
  bool AwaitWelcomeOrClose() {
    MutexLock lock(&mutex_);
    while (received_.empty() && closed_.ok()) changed_.Wait(&mutex_);
    return !received_.empty();
  }
  bool IsWelcome() {
    MutexLock lock(&mutex_);
    return !received_.empty();
  }
  v1::NodeMessage Hello() const {
    v1::NodeMessage message;
    message.mutable_hello()->set_node(node_);
    message.mutable_hello()->set_agent_instance(node_ + "-instance");
    message.mutable_hello()->mutable_facts();
    return message;
  }
  const std::string& node() const { return node_; }
  bool IsTold() {
    MutexLock lock(&mutex_);
    return std::any_of(received_.begin(), received_.end(),
                       [](const auto& message) { return message.has_assignments(); });
  }
  // Of all pods that it was told of, one after another.
  std::vector<int64_t> Epochs() {
    std::vector<int64_t> epochs;
    MutexLock lock(&mutex_);
    for (const v1::ControllerMessage& message : received_) {
      for (const v1::Assignment& each : message.assignments().assignments()) {
        epochs.push_back(each.epoch());
      }
    }
    return epochs;
  }

 private:
  const std::string node_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<v1::ControllerMessage> received_ ABSL_GUARDED_BY(mutex_);
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);
};

class HubSessions : public testing::Test {
 protected:
  ~HubSessions() override { Stop(); }

  void Start(SessionOptions options) {
    cache_ = *Cache::Start(store_.get());
    strand_ = std::make_unique<Strand>("hub-test");
    Hub::Parts parts;
    parts.store = store_.get();
    parts.cache = cache_.get();
    parts.strand = strand_.get();
    parts.clock = RealClock();
    parts.note = [](const v1::Event&) {};
    parts.contacts_changed = [this] { NoteLosses(); };
    hub_ = *Hub::Make(std::move(parts), std::move(options));
    MutexLock lock(&mutex_);
    running_ = hub_.get();
  }
  void Stop() {
    if (strand_ == nullptr) return;
    strand_->Stop();
    {
      MutexLock lock(&mutex_);
      running_ = nullptr;
    }
    // Every answer of the store has come by then: they are given in order.
    (void)store_->SubmitAndWait({});
    hub_.reset();
    strand_.reset();
    cache_.reset();
    links_.clear();
  }
  FakeLink* Link(const std::string& node) {
    return links_.emplace_back(std::make_unique<FakeLink>(node)).get();
  }
  void Say(FakeLink* link, v1::NodeMessage message) {
    strand_->Post([this, link, message = std::move(message)] {
      hub_->OnMessage(link, message, RealClock()->Monotonic());
    });
  }
  // The assignments that it was sent are on their way no more.
  void Sent(FakeLink* link) {
    strand_->Post([this, link] { hub_->OnAssignmentsSent(link); });
  }
  FakeLink* Attach(const std::string& node) {
    FakeLink* link = Link(node);
    Say(link, link->Hello());
    return link;
  }
  void Detach(FakeLink* link) {
    strand_->Post([this, link] { hub_->OnClosed(link); });
  }
  int64_t Beat(FakeLink* link) {
    v1::NodeMessage message;
    message.mutable_beat()->set_sequence(++beat_);
    Say(link, std::move(message));
    return beat_;
  }
  void Store(const v1::Object& object) {
    store::Txn txn;
    txn.ops.push_back({store::Op::Kind::kPut, Key(object), SerializeObject(object), 0});
    ASSERT_TRUE(store_->SubmitAndWait(std::move(txn)).status.ok());
  }
  bool IsReady(const std::string& node) {
    MutexLock lock(&mutex_);
    return ready_.contains(node);
  }
  void AwaitReady(const std::string& node) {
    MutexLock lock(&mutex_);
    while (!ready_.contains(node)) changed_.Wait(&mutex_);
  }
  std::set<std::string> Lost() {
    MutexLock lock(&mutex_);
    return lost_;
  }
  void AwaitLost(const std::string& node) {
    MutexLock lock(&mutex_);
    while (!lost_.contains(node)) changed_.Wait(&mutex_);
  }
  // As the loop, which asks for contacts once it has seen what it wrote; otherwise with each
  // change.
  void AskLater() {
    MutexLock lock(&mutex_);
    later_ = true;
  }
  void Ask() { (void)hub_->Contacts(); }

  std::unique_ptr<store::MemoryStore> store_ = store::MemoryStore::Make();

 private:
  void NoteLosses() {
    MutexLock lock(&mutex_);
    if (running_ == nullptr || later_) return;
    for (const auto& [node, contact] : running_->Contacts()) {
      if (contact.contact == Contact::kLost) lost_.insert(node);
      if (contact.contact == Contact::kReady) ready_.insert(node);
    }
    changed_.SignalAll();
  }

  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Strand> strand_;
  std::unique_ptr<Hub> hub_;
  std::vector<std::unique_ptr<FakeLink>> links_;
  int64_t beat_ = 0;
  Mutex mutex_;
  Hub* running_ ABSL_GUARDED_BY(mutex_) = nullptr;
  CondVar changed_;
  bool later_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::string> lost_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> ready_ ABSL_GUARDED_BY(mutex_);
};

// Known nodes, of which a controller that starts anew expects to hear soon.
TEST_F(HubSessions, WhoseHelloWaitsForLongerThanALeaseIsNotLost) {
  Start({});
  for (const char* node : {"a", "b", "c"}) ASSERT_TRUE(Attach(node)->AwaitWelcome());
  Stop();
  SessionOptions slow;
  slow.beat = absl::Milliseconds(20);
  slow.margin = absl::Milliseconds(20);
  slow.admissions_per_second = 2;
  slow.admission_burst = 1;
  Start(slow);
  Attach("a");
  FakeLink* b = Attach("b");
  FakeLink* c = Attach("c");
  ASSERT_TRUE(b->AwaitWelcome());
  EXPECT_FALSE(Lost().contains("b"));
  ASSERT_TRUE(c->AwaitWelcome());
  EXPECT_FALSE(Lost().contains("c"));
}

TEST_F(HubSessions, BeatsAreAnsweredWhileOthersWaitToBeLetIn) {
  SessionOptions options;
  options.admissions_per_second = 1;
  options.admission_burst = 1;
  Start(options);
  FakeLink* in = Attach("in");
  ASSERT_TRUE(in->AwaitWelcome());
  std::vector<FakeLink*> waiting;
  for (int i = 0; i < 200; ++i) waiting.push_back(Attach(absl::StrCat("node-", i)));
  Beat(in);
  ASSERT_TRUE(in->AwaitMessage([](const auto& message) { return message.has_beat_ack(); }));
  EXPECT_FALSE(waiting.back()->IsWelcome());
}

// "web-1", bound to node "a".
v1::Object PodOnA() {
  v1::Object pod = NewObject(*FindKind("Pod"));
  MutableMeta(&pod)->set_namespace_("default");
  MutableMeta(&pod)->set_name("web-1");
  MutableMeta(&pod)->set_uid("web-1-uid");
  pod.mutable_pod()->mutable_spec()->set_node_name("a");
  return pod;
}

// What is being written about a lost node was decided before it came back: it may be that a pod is
// given up, which it has not begun yet.
TEST_F(HubSessions, Law8_ANodeThatComesBackIsToldNothingWhileItsPodsMayBeGivenUp) {
  Store(PodOnA());
  SessionOptions options;
  options.beat = absl::Milliseconds(20);
  options.margin = absl::Milliseconds(20);
  Start(options);
  FakeLink* link = Attach("a");
  ASSERT_TRUE(link->AwaitMessage([](const auto& message) { return message.has_assignments(); }));
  Detach(link);
  AwaitLost("a");
  AskLater();
  FakeLink* next = Attach("a");
  ASSERT_TRUE(next->AwaitWelcome());
  Beat(next);
  ASSERT_TRUE(next->AwaitMessage([](const auto& message) { return message.has_beat_ack(); }));
  EXPECT_FALSE(next->IsTold());
  // The controller has nothing to answer this with yet, and lives on.
  v1::NodeMessage report;
  report.mutable_status()->set_sequence(1);
  v1::PodStatusUpdate* stranger = report.mutable_status()->add_pods();
  stranger->set_uid("stranger");
  stranger->set_namespace_("default");
  stranger->set_name("stranger");
  stranger->set_sequence(1);
  Say(next, std::move(report));
  Beat(next);
  Ask();
  EXPECT_TRUE(next->AwaitMessage([](const auto& message) { return message.has_assignments(); }));
  Sent(next);
}

// The record is in the store, and its writer does not know.
TEST_F(HubSessions, ANodeWhoseRecordMayHaveBeenWrittenComesInWithItsNextHello) {
  int records = 0;
  store_->SetFaults([&records](const store::Txn& txn) {
    const bool record = !txn.ops.empty() && absl::StartsWith(txn.ops[0].key, kSessionPrefix);
    return record && ++records == 1 ? store::Fault::kUnknownApplied : store::Fault::kNone;
  });
  Start({});
  ASSERT_FALSE(Attach("a")->AwaitWelcomeOrClose());
  EXPECT_TRUE(Attach("a")->AwaitWelcomeOrClose());
}

// An answer that is lost, and then a store that does not answer: the report may be stored by then.
TEST_F(HubSessions, ANodeIsNotToldOfAPodAgainBecauseOfItsOwnReport) {
  Store(PodOnA());
  std::vector<store::Fault> faults = {store::Fault::kUnavailable, store::Fault::kUnknownApplied};
  store_->SetFaults([&faults](const store::Txn& txn) {
    const bool report = !txn.ops.empty() && absl::StartsWith(txn.ops.back().key, kReportPrefix);
    if (!report || faults.empty()) return store::Fault::kNone;
    const store::Fault fault = faults.back();
    faults.pop_back();
    return fault;
  });
  Start({});
  FakeLink* link = Attach("a");
  ASSERT_TRUE(link->AwaitMessage([](const auto& message) { return message.has_assignments(); }));
  v1::NodeMessage report;
  report.mutable_status()->set_sequence(1);
  v1::PodStatusUpdate* update = report.mutable_status()->add_pods();
  update->set_namespace_("default");
  update->set_name("web-1");
  update->set_uid("web-1-uid");
  update->set_sequence(1);
  update->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
  Say(link, report);
  ASSERT_TRUE(link->AwaitMessage([](const auto& message) { return message.has_status_ack(); }));
  EXPECT_EQ(link->Epochs().size(), 1u);
}

// Lost and replaced under the controller before this one: what was replaced ends first.
TEST_F(HubSessions, ANodeThatWasLostBeforeTheControllerBeganComesBackClean) {
  v1::Object node = NewObject(*FindKind("Node"));
  MutableMeta(&node)->set_name("a");
  v1::Condition* ready = node.mutable_node()->mutable_status()->add_conditions();
  ready->set_type("Ready");
  ready->set_status(v1::CONDITION_STATUS_UNKNOWN);
  v1::Object pod = PodOnA();
  MutableMeta(&pod)->mutable_deletion_timestamp()->set_seconds(1);
  Store(node);
  Store(pod);
  Start({});
  FakeLink* link = Attach("a");
  v1::Assignments told;
  ASSERT_TRUE(link->AwaitMessage([&told](const auto& message) {
    told = message.assignments();
    return message.has_assignments();
  }));
  ASSERT_EQ(told.assignments_size(), 1);
  Sent(link);
  v1::NodeMessage agrees;
  agrees.mutable_assignments_ack()->set_applied_revision(told.results_in());
  agrees.mutable_assignments_ack()->set_assignments_digest(AssignmentsDigest(
      std::map<std::string, int64_t>{{"web-1-uid", told.assignments(0).epoch()}}));
  Say(link, agrees);
  Beat(link);
  ASSERT_TRUE(link->AwaitMessage([](const auto& message) { return message.has_beat_ack(); }));
  EXPECT_FALSE(IsReady("a"));
  store::Txn gone;
  gone.ops.push_back({store::Op::Kind::kDelete, Key(pod), "", 0});
  ASSERT_TRUE(store_->SubmitAndWait(std::move(gone)).status.ok());
  AwaitReady("a");
}

TEST_F(HubSessions, LeasesGrowWithTheClusterAlsoInSessionsThatRun) {
  SessionOptions options;
  options.nodes_per_beat = 2;
  Start(options);
  FakeLink* first = Attach("a");
  ASSERT_TRUE(first->AwaitMessage([](const auto& message) {
    return message.welcome().beat_milliseconds() == 1000 &&
           message.welcome().ttl_milliseconds() == 4000;
  }));
  ASSERT_TRUE(Attach("b")->AwaitWelcome());
  ASSERT_TRUE(Attach("c")->AwaitWelcome());
  int64_t ttl = 0;
  for (int i = 0; i < 1000 && ttl != 8000; ++i) {
    const int64_t sequence = Beat(first);
    ASSERT_TRUE(first->AwaitMessage([&](const auto& message) {
      if (message.beat_ack().sequence() != sequence) return false;
      ttl = message.beat_ack().ttl_milliseconds();
      return true;
    }));
  }
  EXPECT_EQ(ttl, 8000);
  Stop();
  // The next controller knows how long nodes may count themselves alive.
  Strand strand("pace");
  PaceKeeper keeper(store_.get(), &strand, &options);
  ASSERT_TRUE(keeper.Load().ok());
  EXPECT_EQ(keeper.longest_ttl(), absl::Seconds(8));
}

}  // namespace
}  // namespace cluster::controller
