// The prober in real time with short periods: what it finds reaches whoever listens.
#include "node/probe/prober.h"

#include "gmock/gmock.h"

#include "node/probe/probe_schedule.h"
#include "node/runtime/fake_runtime.h"
#include "tests/unit/node/probe/servers.h"

namespace cluster::node {
namespace {

using testing::IsEmpty;

class ProberTest : public testing::Test {
 protected:
  ProberTest() : machine_(RealClock(), testing::TempDir()), runtime_(&machine_) {
    prober_ = Prober::Start(&runtime_, RealClock()).value();
    prober_->SetListener([this](const std::string& uid) {
      MutexLock lock(&mutex_);
      EXPECT_EQ(uid, "uid");
      ++news_;
      changed_.SignalAll();
    });
  }

  static ProbeSpec Tcp(ProbeKind kind, uint16_t port) {
    ProbeSpec spec;
    spec.kind = kind;
    spec.action = TcpAction{"127.0.0.1", port};
    spec.period = absl::Milliseconds(20);
    spec.failure_threshold = 2;
    return spec;
  }
  void Probe(std::vector<ProbeSpec> specs, int attempt = 0) {
    ProbeTarget target;
    target.container = "web";
    target.attempt = attempt;
    target.started_at = RealClock()->Monotonic();
    target.probes = std::move(specs);
    prober_->Set("uid", {target});
  }
  // Waits for news until the health is as wanted.
  Health Await(const std::function<bool(const Health&)>& wanted) {
    for (;;) {
      const int before = News();
      for (const ProbeReport& report : Take().reports) reports_.push_back(report);
      for (const Health& health : Take().health) {
        if (wanted(health)) return health;
      }
      MutexLock lock(&mutex_);
      while (news_ == before) changed_.Wait(&mutex_);
    }
  }
  int News() {
    MutexLock lock(&mutex_);
    return news_;
  }
  ProbeNews Take() { return prober_->TakeNews("uid"); }

  FakeMachine machine_;
  FakeRuntime runtime_;
  Mutex mutex_;
  CondVar changed_;
  int news_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<ProbeReport> reports_;
  std::unique_ptr<Prober> prober_;
};

TEST_F(ProberTest, AContainerBecomesReadyWhenItListensAndUnreadyWhenItStops) {
  auto closed = std::make_unique<Listener>(-1);
  const uint16_t port = closed->port();
  Probe({Tcp(ProbeKind::kReadiness, port)});
  EXPECT_EQ(listen(closed->fd(), 16), 0);
  EXPECT_TRUE(Await([](const Health& health) { return health.ready; }).ready);
  closed.reset();
  EXPECT_FALSE(Await([](const Health& health) { return !health.ready; }).ready);
  ASSERT_FALSE(reports_.empty());
  EXPECT_EQ(reports_.back().what, ProbeReport::kFailed);
}

TEST_F(ProberTest, ALivenessProbeThatFailsIsTold) {
  const Listener closed(-1);
  Probe({Tcp(ProbeKind::kLiveness, closed.port())});
  const Health health = Await([](const Health& each) { return each.failed.has_value(); });
  EXPECT_EQ(health.failed, ProbeKind::kLiveness);
  Probe({Tcp(ProbeKind::kLiveness, closed.port())}, 1);
  EXPECT_EQ(Await([](const Health& each) { return each.failed.has_value(); }).attempt, 1);
}

TEST_F(ProberTest, AHookRunsAndTellsHowItEnded) {
  SandboxSpec sandbox;
  sandbox.uid = "uid";
  ASSERT_TRUE(runtime_.PrepareSandbox(sandbox).ok());
  Mutex mutex;
  CondVar changed;
  std::vector<absl::Status> ends;
  const auto run = [&](Action action, absl::Duration timeout) {
    size_t before = 0;
    {
      MutexLock lock(&mutex);
      before = ends.size();
    }
    prober_->RunHook({"uid", "web", std::move(action), timeout}, [&](absl::Status status) {
      MutexLock lock(&mutex);
      ends.push_back(std::move(status));
      changed.SignalAll();
    });
    MutexLock lock(&mutex);
    while (ends.size() == before) changed.Wait(&mutex);
    return ends.back();
  };
  EXPECT_TRUE(run(ExecAction{{"exit", "0"}}, absl::InfiniteDuration()).ok());
  EXPECT_FALSE(run(ExecAction{{"exit", "1"}}, absl::InfiniteDuration()).ok());
  EXPECT_TRUE(run(SleepAction{absl::Milliseconds(10)}, absl::Seconds(30)).ok());
  EXPECT_FALSE(run(SleepAction{absl::Hours(1)}, absl::Milliseconds(10)).ok());
  EXPECT_FALSE(run(ExecAction{{"cat"}}, absl::Milliseconds(50)).ok());
  EXPECT_EQ(machine_.running_execs(), 0);
}

// Of the schedule alone, with a clock of the test's own.
TEST(ProbeSchedule, TheSameComplaintIsToldOnceAMinute) {
  ProbeSchedule schedule;
  ProbeTarget target;
  target.container = "web";
  ProbeSpec spec;
  spec.kind = ProbeKind::kReadiness;
  spec.action = TcpAction{"127.0.0.1", 1};
  spec.period = absl::Seconds(1);
  target.probes = {spec};
  schedule.Set("uid", {target}, absl::ZeroDuration());
  std::vector<double> told;
  for (absl::Duration now; now < absl::Minutes(2); now = schedule.NextDue()) {
    for (const Firing& firing : schedule.TakeDue(now)) {
      schedule.Absorb(firing, {Verdict::kFailure, "refused"}, now);
    }
    if (!schedule.TakeNews("uid").reports.empty()) told.push_back(absl::ToDoubleSeconds(now));
  }
  EXPECT_EQ(told.size(), 2u);
}

TEST(ProbeSchedule, WhatIsNoLongerProbedIsForgotten) {
  ProbeSchedule schedule;
  ProbeTarget target;
  target.container = "web";
  ProbeSpec spec;
  spec.kind = ProbeKind::kLiveness;
  spec.failure_threshold = 1;
  target.probes = {spec};
  schedule.Set("uid", {target}, absl::ZeroDuration());
  const std::vector<Firing> firings = schedule.TakeDue(absl::ZeroDuration());
  ASSERT_EQ(firings.size(), 1u);
  schedule.Set("uid", {}, absl::ZeroDuration());
  EXPECT_EQ(schedule.NextDue(), absl::InfiniteDuration());
  EXPECT_FALSE(schedule.Absorb(firings[0], {Verdict::kFailure, "late"}, absl::Seconds(1)));
  EXPECT_THAT(schedule.TakeNews("uid").health, IsEmpty());
  target.attempt = 1;
  schedule.Set("uid", {target}, absl::Seconds(2));
  EXPECT_FALSE(schedule.Absorb(firings[0], {Verdict::kFailure, "late"}, absl::Seconds(2)));
  EXPECT_FALSE(schedule.TakeNews("uid").health[0].failed) << "of another instance";
}

TEST(ProbeSchedule, SettingTheSameAgainChangesNothing) {
  ProbeSchedule schedule;
  ProbeTarget target;
  target.container = "web";
  ProbeSpec spec;
  spec.kind = ProbeKind::kLiveness;
  target.probes = {spec};
  schedule.Set("uid", {target}, absl::ZeroDuration());
  const std::vector<Firing> firings = schedule.TakeDue(absl::ZeroDuration());
  schedule.Absorb(firings[0], {Verdict::kSuccess, ""}, absl::ZeroDuration());
  const absl::Duration due = schedule.NextDue();
  schedule.Set("uid", {target}, absl::Seconds(1));
  EXPECT_EQ(schedule.NextDue(), due);
}

}  // namespace
}  // namespace cluster::node
