#include "controller/session/hub.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/assignments_digest.h"
#include "tests/unit/controller/session/hub_fixture.h"

namespace cluster::controller {
namespace {

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
