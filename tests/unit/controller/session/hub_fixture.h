// A hub on a store in memory, and agents that are nothing but their end of a session.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/session/hub.h"
#include "controller/store/memory_store.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {

// One agent's end of a session.
class FakeLink : public AgentLink {
 public:
  explicit FakeLink(std::string node) : node_(std::move(node)) {}

  // On the hub's strand.
  void Send(v1::ControllerMessage message) override {
    if (message.has_assignments() && sent_) sent_();
    MutexLock lock(&mutex_);
    received_.push_back(std::move(message));
    changed_.SignalAll();
  }
  void Close(const absl::Status& why) override {
    MutexLock lock(&mutex_);
    closed_ = why;
    changed_.SignalAll();
  }

  // Called for each message of assignments. Before the first.
  void SetSent(std::function<void()> sent) { sent_ = std::move(sent); }

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
  // Of the newest routes that it was told, once they are no older than this.
  v1::Routes AwaitRoutes(int64_t version) {
    v1::Routes newest;
    EXPECT_TRUE(AwaitMessage([&](const auto& message) {
      newest = message.routes();
      return message.routes().version() >= version;
    }));
    return newest;
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
  std::function<void()> sent_;
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

// "web-1", bound to node "a".
inline v1::Object PodOnA() {
  v1::Object pod = NewObject(*FindKind("Pod"));
  MutableMeta(&pod)->set_namespace_("default");
  MutableMeta(&pod)->set_name("web-1");
  MutableMeta(&pod)->set_uid("web-1-uid");
  pod.mutable_pod()->mutable_spec()->set_node_name("a");
  return pod;
}

}  // namespace cluster::controller
