#include "controller/session/hub.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/store/memory_store.h"

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
  FakeLink* Attach(const std::string& node) {
    FakeLink* link = Link(node);
    Say(link, link->Hello());
    return link;
  }
  int64_t Beat(FakeLink* link) {
    v1::NodeMessage message;
    message.mutable_beat()->set_sequence(++beat_);
    Say(link, std::move(message));
    return beat_;
  }
  std::set<std::string> Lost() {
    MutexLock lock(&mutex_);
    return lost_;
  }

  std::unique_ptr<store::MemoryStore> store_ = store::MemoryStore::Make();

 private:
  void NoteLosses() {
    MutexLock lock(&mutex_);
    if (running_ == nullptr) return;
    for (const auto& [node, contact] : running_->Contacts()) {
      if (contact.contact == Contact::kLost) lost_.insert(node);
    }
  }

  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Strand> strand_;
  std::unique_ptr<Hub> hub_;
  std::vector<std::unique_ptr<FakeLink>> links_;
  int64_t beat_ = 0;
  Mutex mutex_;
  Hub* running_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::set<std::string> lost_ ABSL_GUARDED_BY(mutex_);
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
