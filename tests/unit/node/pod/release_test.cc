// What a pod holds of the node goes once the pod is over; its object, status and logs stay.
#include "gmock/gmock.h"

#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

class ReleaseTest : public PodBench {
 protected:
  int Verbs(const std::string& verb) const {
    int count = 0;
    for (const std::string& one : machine_.verbs()) count += one.rfind(verb + " ", 0) == 0 ? 1 : 0;
    return count;
  }
};

TEST_F(ReleaseTest, APodThatSucceededHoldsNothingAnyMore) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  EXPECT_EQ(Verbs("Release"), 0) << "it runs";
  machine_.Exit("uid-web", "web", 0);
  Settle();
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_SUCCEEDED);
  EXPECT_EQ(Verbs("Release"), 1);
  EXPECT_EQ(machine_.counts().removed, 0) << "its logs are still asked for";
  Pass(absl::Hours(1));
  RestartAgent();
  Pass(absl::Hours(1));
  EXPECT_EQ(Verbs("Release"), 1) << "once is enough";
  EXPECT_EQ(machine_.counts().started, 1);
  EXPECT_EQ(FirstContainer().state().terminated().exit_code(), 0);
}

TEST_F(ReleaseTest, AnEvictedPodGivesBackWhatItWasEvictedFor) {
  Assign(PodBuilder().Get());
  Settle();
  worker_->Evict("The node was low on resource: memory.");
  Settle();
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_EQ(Status().reason(), "Evicted");
  EXPECT_EQ(Verbs("Release"), 1);
}

TEST_F(ReleaseTest, APodThatRestartsKeepsWhatItHas) {
  Assign(PodBuilder().Get());
  Settle();
  machine_.Exit("uid-web", "web", 1);
  Pass(absl::Minutes(1));
  EXPECT_EQ(machine_.counts().started, 2);
  EXPECT_EQ(Verbs("Release"), 0);
}

TEST_F(ReleaseTest, IsTriedAgainWhileSomethingIsStuckAndSaysSo) {
  bool stuck = true;
  machine_.SetFault([&stuck](const std::string& verb, const std::string&) {
    return verb == "Release" && stuck ? absl::UnavailableError("pid 7 (dd) is in D state")
                                      : absl::OkStatus();
  });
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  machine_.Exit("uid-web", "web", 0);
  Pass(absl::Minutes(1));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_SUCCEEDED);
  EXPECT_THAT(Status().message(), HasSubstr("pid 7 (dd) is in D state"));
  const int tries = Verbs("Release");
  EXPECT_GT(tries, 1);
  stuck = false;
  Pass(absl::Minutes(5));
  EXPECT_EQ(Verbs("Release"), tries + 1);
  EXPECT_EQ(Status().message(), "");
}

TEST_F(ReleaseTest, ADeletedPodIsRemovedWhetherOrNotItWasReleased) {
  PodBuilder pod;
  Assign(pod.Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  machine_.Exit("uid-web", "web", 0);
  Settle();
  Assign(pod.Deleted(0).Get());
  Settle();
  EXPECT_EQ(machine_.counts().removed, 1);
}

}  // namespace
}  // namespace cluster::node
