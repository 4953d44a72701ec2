#include "node/probe/probe_machine.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr absl::Duration kStart = absl::Seconds(1000);

ProbeSpec Spec(ProbeKind kind, int period = 10, int failures = 3) {
  ProbeSpec spec;
  spec.kind = kind;
  spec.period = absl::Seconds(period);
  spec.failure_threshold = failures;
  return spec;
}

ProbeTarget Target(std::vector<ProbeSpec> probes) {
  ProbeTarget target;
  target.container = "web";
  target.started_at = kStart;
  target.probes = std::move(probes);
  return target;
}

// Time passes in a machine whose probes answer as told; counts what is run.
class Bench {
 public:
  explicit Bench(ProbeTarget target, double spread = 0)
      : machine_(std::move(target), spread, kStart) {}

  void Answer(ProbeKind kind, Verdict verdict) { answers_[kind] = verdict; }
  // Runs everything that is due within the time.
  void Pass(absl::Duration time) {
    const absl::Duration end = now_ + time;
    while (machine_.NextDue() <= end) {
      now_ = std::max(now_, machine_.NextDue());
      for (const ProbeKind kind : machine_.TakeDue(now_)) {
        runs_[kind].push_back(absl::ToDoubleSeconds(now_ - kStart));
        machine_.Absorb(kind, answers_[kind], now_);
      }
    }
    now_ = end;
  }
  std::vector<double> Runs(ProbeKind kind) { return std::exchange(runs_[kind], {}); }
  const Health& health() const { return machine_.health(); }
  ProbeMachine& machine() { return machine_; }

 private:
  ProbeMachine machine_;
  absl::Duration now_ = kStart;
  std::map<ProbeKind, Verdict> answers_;
  std::map<ProbeKind, std::vector<double>> runs_;
};

TEST(ProbeMachine, LivenessFailsAfterSoManyFailuresInARow) {
  Bench bench(Target({Spec(ProbeKind::kLiveness)}));
  EXPECT_TRUE(bench.health().ready);
  EXPECT_TRUE(bench.health().started);
  bench.Answer(ProbeKind::kLiveness, Verdict::kSuccess);
  bench.Pass(absl::Seconds(25));
  EXPECT_THAT(bench.Runs(ProbeKind::kLiveness), ElementsAre(0, 10, 20));
  bench.Answer(ProbeKind::kLiveness, Verdict::kFailure);
  bench.Pass(absl::Seconds(20));
  EXPECT_FALSE(bench.health().failed);
  bench.Answer(ProbeKind::kLiveness, Verdict::kSuccess);
  bench.Pass(absl::Seconds(10));
  bench.Answer(ProbeKind::kLiveness, Verdict::kFailure);
  bench.Pass(absl::Seconds(20));
  EXPECT_FALSE(bench.health().failed) << "not in a row";
  bench.Pass(absl::Seconds(10));
  EXPECT_EQ(bench.health().failed, ProbeKind::kLiveness);
  EXPECT_EQ(bench.machine().NextDue(), absl::InfiniteDuration()) << "nothing more is asked of it";
}

TEST(ProbeMachine, InitialDelayCountsFromTheContainersStart) {
  ProbeTarget target = Target({Spec(ProbeKind::kReadiness)});
  target.probes[0].initial_delay = absl::Seconds(7);
  Bench bench(std::move(target));
  bench.Answer(ProbeKind::kReadiness, Verdict::kSuccess);
  bench.Pass(absl::Seconds(6));
  EXPECT_FALSE(bench.health().ready);
  bench.Pass(absl::Seconds(1));
  EXPECT_TRUE(bench.health().ready);
  EXPECT_THAT(bench.Runs(ProbeKind::kReadiness), ElementsAre(7));
}

TEST(ProbeMachine, AContainerThatIsNotReadyYetIsAskedOftenAtFirst) {
  Bench bench(Target({Spec(ProbeKind::kReadiness)}));
  bench.Answer(ProbeKind::kReadiness, Verdict::kFailure);
  bench.Pass(absl::Seconds(30));
  EXPECT_THAT(bench.Runs(ProbeKind::kReadiness),
              ElementsAre(0, 0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 25.75));
  bench.Answer(ProbeKind::kReadiness, Verdict::kSuccess);
  bench.Pass(absl::Seconds(30));
  EXPECT_THAT(bench.Runs(ProbeKind::kReadiness), ElementsAre(35.75, 45.75, 55.75));
  EXPECT_TRUE(bench.health().ready);
}

TEST(ProbeMachine, ReadinessComesAndGoesByItsThresholds) {
  ProbeTarget target = Target({Spec(ProbeKind::kReadiness, 1, 2)});
  target.probes[0].success_threshold = 3;
  Bench bench(std::move(target));
  bench.Answer(ProbeKind::kReadiness, Verdict::kSuccess);
  bench.Pass(absl::Seconds(1));
  EXPECT_FALSE(bench.health().ready);
  bench.Pass(absl::Seconds(1));
  EXPECT_TRUE(bench.health().ready);
  bench.Answer(ProbeKind::kReadiness, Verdict::kFailure);
  bench.Pass(absl::Seconds(1));
  EXPECT_TRUE(bench.health().ready);
  bench.Pass(absl::Seconds(1));
  EXPECT_FALSE(bench.health().ready);
  EXPECT_FALSE(bench.health().failed) << "readiness ends no container";
}

TEST(ProbeMachine, Behaviour31_TheStartupProbeHoldsTheOthersOff) {
  Bench bench(Target({Spec(ProbeKind::kStartup, 5, 100), Spec(ProbeKind::kLiveness, 10),
                      Spec(ProbeKind::kReadiness, 10)}));
  for (const ProbeKind kind : {ProbeKind::kStartup, ProbeKind::kLiveness, ProbeKind::kReadiness}) {
    bench.Answer(kind, Verdict::kFailure);
  }
  bench.Pass(absl::Minutes(2));
  EXPECT_THAT(bench.Runs(ProbeKind::kLiveness), IsEmpty());
  EXPECT_THAT(bench.Runs(ProbeKind::kReadiness), IsEmpty());
  EXPECT_EQ(bench.Runs(ProbeKind::kStartup).size(), 25u);
  EXPECT_FALSE(bench.health().started);
  for (const ProbeKind kind : {ProbeKind::kStartup, ProbeKind::kLiveness, ProbeKind::kReadiness}) {
    bench.Answer(kind, Verdict::kSuccess);
  }
  bench.Pass(absl::Seconds(5));
  EXPECT_TRUE(bench.health().started);
  EXPECT_TRUE(bench.health().ready) << "the others begin at once";
  EXPECT_THAT(bench.Runs(ProbeKind::kStartup), ElementsAre(125));
  EXPECT_THAT(bench.Runs(ProbeKind::kLiveness), ElementsAre(125));
  bench.Pass(absl::Minutes(2));
  EXPECT_THAT(bench.Runs(ProbeKind::kStartup), IsEmpty()) << "once is enough";
}

TEST(ProbeMachine, AStartupProbeThatNeverSucceedsFailsTheContainer) {
  Bench bench(Target({Spec(ProbeKind::kStartup, 5, 2)}));
  bench.Answer(ProbeKind::kStartup, Verdict::kFailure);
  bench.Pass(absl::Seconds(4));
  EXPECT_FALSE(bench.health().failed);
  bench.Pass(absl::Seconds(1));
  EXPECT_EQ(bench.health().failed, ProbeKind::kStartup);
}

TEST(ProbeMachine, AProbeThatCannotBeRunSaysNothing) {
  Bench bench(Target({Spec(ProbeKind::kLiveness, 1, 1)}));
  bench.Answer(ProbeKind::kLiveness, Verdict::kUnknown);
  bench.Pass(absl::Minutes(10));
  EXPECT_FALSE(bench.health().failed);
}

TEST(ProbeMachine, ASlowProbeIsFollowedByOneNotBySeveral) {
  ProbeMachine machine(Target({Spec(ProbeKind::kLiveness, 1)}), 0, kStart);
  ASSERT_THAT(machine.TakeDue(kStart), ElementsAre(ProbeKind::kLiveness));
  EXPECT_THAT(machine.TakeDue(kStart + absl::Seconds(30)), IsEmpty()) << "it is still under way";
  EXPECT_EQ(machine.NextDue(), absl::InfiniteDuration());
  const absl::Duration late = kStart + absl::Seconds(30);
  machine.Absorb(ProbeKind::kLiveness, Verdict::kSuccess, late);
  EXPECT_EQ(machine.NextDue(), late);
  EXPECT_THAT(machine.TakeDue(late), ElementsAre(ProbeKind::kLiveness));
  machine.Absorb(ProbeKind::kLiveness, Verdict::kSuccess, late);
  EXPECT_EQ(machine.NextDue(), late + absl::Seconds(1));
}

TEST(ProbeMachine, ContainersOfTheSameMomentAreMovedApartOnceAndNeverEarlier) {
  Bench bench(Target({Spec(ProbeKind::kLiveness)}), 0.5);
  bench.Answer(ProbeKind::kLiveness, Verdict::kSuccess);
  bench.Pass(absl::Seconds(35));
  EXPECT_THAT(bench.Runs(ProbeKind::kLiveness), ElementsAre(0, 10.5, 20.5, 30.5));
}

TEST(ProbeMachine, AdoptedContainersAreSpreadOverAPeriodAndKeepWhatWasKnown) {
  ProbeTarget target = Target({Spec(ProbeKind::kStartup), Spec(ProbeKind::kReadiness)});
  target.adopted = true;
  target.started = true;
  target.ready = true;
  Bench bench(std::move(target), 0.3);
  bench.Answer(ProbeKind::kReadiness, Verdict::kFailure);
  EXPECT_TRUE(bench.health().started);
  EXPECT_TRUE(bench.health().ready);
  bench.Pass(absl::Seconds(15));
  EXPECT_THAT(bench.Runs(ProbeKind::kReadiness), ElementsAre(3, 13));
  EXPECT_THAT(bench.Runs(ProbeKind::kStartup), IsEmpty());
  EXPECT_TRUE(bench.health().ready) << "two failures of three";
  bench.Pass(absl::Seconds(10));
  EXPECT_FALSE(bench.health().ready);
}

}  // namespace
}  // namespace cluster::node
