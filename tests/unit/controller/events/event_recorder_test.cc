#include "controller/events/event_recorder.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/cache/view.h"
#include "controller/store/memory_store.h"

namespace cluster::controller {
namespace {

v1::Event Happened(const std::string& pod, const std::string& message,
                   const std::string& name_space = "default") {
  v1::Event event;
  event.mutable_involved_object()->set_kind("Pod");
  event.mutable_involved_object()->set_namespace_(name_space);
  event.mutable_involved_object()->set_name(pod);
  event.set_type("Normal");
  event.set_reason("Tested");
  event.set_message(message);
  return event;
}

class Recording : public testing::Test {
 protected:
  void Start(EventOptions options = {}) {
    options.gather = absl::Milliseconds(1);
    recorder_ = *EventRecorder::Start(store_.get(), RealClock(), options);
  }
  std::vector<v1::Event> Stored() {
    std::vector<v1::Event> events;
    const auto listing = store_->List("events/");
    for (const store::Kv& kv : listing->kvs) {
      events.push_back((*ParseEntry(kv))->object.event());
    }
    return events;
  }
  // Until the store holds what is wanted; the recorder writes by itself.
  bool Eventually(const std::function<bool(const std::vector<v1::Event>&)>& condition) {
    Sink sink;
    const auto watch = store_->Watch("events/", 0, &sink);
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!condition(Stored())) {
      MutexLock lock(&sink.mutex);
      if (absl::Now() > deadline) return false;
      sink.changed.WaitFor(&sink.mutex, absl::Milliseconds(50));
    }
    return true;
  }

  struct Sink : store::WatchSink {
    void OnBatch(const store::Batch&) override {
      MutexLock lock(&mutex);
      changed.SignalAll();
    }
    void OnCompacted(store::Rev) override {}
    Mutex mutex;
    CondVar changed;
  };

  std::unique_ptr<store::MemoryStore> store_ = store::MemoryStore::Make();
  std::unique_ptr<EventRecorder> recorder_;
};

TEST_F(Recording, EqualEventsAreCounted) {
  Start();
  for (int i = 0; i < 5; ++i) recorder_->Note(Happened("a", "same"));
  recorder_->Note(Happened("a", "other"));
  EXPECT_TRUE(Eventually([](const auto& events) {
    int32_t total = 0;
    for (const v1::Event& event : events) total += event.count();
    return events.size() == 2 && total == 6;
  }));
}

TEST_F(Recording, CountingGoesOnAfterARestart) {
  Start();
  recorder_->Note(Happened("a", "same"));
  ASSERT_TRUE(Eventually([](const auto& events) { return events.size() == 1; }));
  Start();
  recorder_->Note(Happened("a", "same"));
  EXPECT_TRUE(
      Eventually([](const auto& events) { return events.size() == 1 && events[0].count() == 2; }));
}

TEST_F(Recording, AnEventThatSomebodyRemovedIsMadeAnew) {
  Start();
  recorder_->Note(Happened("a", "same"));
  ASSERT_TRUE(Eventually([](const auto& events) { return events.size() == 1; }));
  store::Txn txn;
  txn.ops.push_back({store::Op::Kind::kDelete, store_->List("events/")->kvs[0].key, "", 0});
  ASSERT_TRUE(store_->SubmitAndWait(std::move(txn)).status.ok());
  recorder_->Note(Happened("a", "same"));
  EXPECT_TRUE(Eventually([](const auto& events) { return events.size() == 1; }));
}

TEST_F(Recording, ANamespaceKeepsABoundedNumber) {
  EventOptions options;
  options.max_per_namespace = 50;
  Start(options);
  recorder_->Note(Happened("a", "elsewhere", "team"));
  for (int i = 0; i < 500; ++i) {
    recorder_->Note(Happened("a", absl::StrCat("message ", i)));
    if (i % 40 != 39) continue;
    const std::string last = absl::StrCat("message ", i);
    ASSERT_TRUE(Eventually([&](const auto& events) {
      return std::any_of(events.begin(), events.end(),
                         [&](const v1::Event& event) { return event.message() == last; });
    }));
  }
  recorder_->Note(Happened("a", "the last one"));
  EXPECT_TRUE(Eventually([](const auto& events) {
    size_t here = 0;
    size_t elsewhere = 0;
    bool last = false;
    for (const v1::Event& event : events) {
      (event.involved_object().namespace_() == "team" ? elsewhere : here) += 1;
      last |= event.message() == "the last one";
    }
    return last && here <= 100 && elsewhere == 1;
  }));
}

TEST_F(Recording, OfVeryManyAtOnceTheNewestAreKept) {
  EventOptions options;
  options.max_per_namespace = 50;
  Start(options);
  constexpr int kEvents = 3000;
  for (int i = 0; i < kEvents; ++i) recorder_->Note(Happened("a", absl::StrCat("message ", i)));
  EXPECT_TRUE(Eventually([](const auto& events) {
    std::set<std::string> messages;
    for (const v1::Event& event : events) messages.insert(event.message());
    for (int i = kEvents - 40; i < kEvents; ++i) {
      if (!messages.contains(absl::StrCat("message ", i))) return false;
    }
    return events.size() <= 100;
  }));
}

TEST_F(Recording, AFullStoreOnlyCostsEvents) {
  Start();
  store_->SetFaults([](const store::Txn&) { return store::Fault::kNoSpace; });
  recorder_->Note(Happened("a", "lost"));
  recorder_->Stop();
  EXPECT_TRUE(Stored().empty());
}

}  // namespace
}  // namespace cluster::controller
