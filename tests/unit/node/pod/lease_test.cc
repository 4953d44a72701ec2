// Law 8 on the node: what exists once ends before the node's lease is over, all else goes on.
#include "gmock/gmock.h"

#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

using ::testing::Contains;
using ::testing::Not;

class LeaseTest : public PodBench {
 protected:
  LeaseTest() {
    world_.stop_unique_at = [this] { return stop_at_; };
    stop_at_ = clock_.Monotonic() + absl::Seconds(3);
  }
  static PodBuilder Unique() {
    PodBuilder pod;
    auto* owner = pod.Get().mutable_pod()->mutable_metadata()->add_owner_references();
    owner->set_kind("StatefulSet");
    owner->set_controller(true);
    return pod;
  }
  void ExpectGone() {
    EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
    EXPECT_EQ(Status().reason(), "LeaseLost");
    EXPECT_TRUE(FirstContainer().state().has_terminated());
  }

  absl::Duration stop_at_;
};

TEST_F(LeaseTest, Law8_APodOfAStatefulSetEndsWhenTheLeaseIsAboutTo) {
  Assign(Unique().Get());
  EXPECT_LE(Settle(), stop_at_) << "it looks when the lease may be over";
  Pass(absl::Seconds(3));
  EXPECT_THAT(EventReasons(), Contains("LeaseLost"));
  // The stop signal, and SIGKILL one second later, whatever grace the manifest gives.
  Pass(absl::Seconds(1));
  ExpectGone();
  Pass(absl::Hours(1));
  EXPECT_EQ(machine_.counts().started, 1);
}

TEST_F(LeaseTest, Law8_ALeaseThatGoesOnEndsNothing) {
  Assign(Unique().Get());
  for (int i = 0; i < 20; ++i) {
    Pass(absl::Seconds(2));
    stop_at_ += absl::Seconds(2);
  }
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  EXPECT_THAT(EventReasons(), Not(Contains("LeaseLost")));
}

TEST_F(LeaseTest, Law8_AnOrdinaryPodLivesOn) {
  world_.lease_file = "/run/lease";
  Assign(PodBuilder().Get());
  Pass(absl::Minutes(1));
  EXPECT_EQ(machine_.LastSandboxSpec("uid-web").lease_file, "");
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
}

TEST_F(LeaseTest, APodMayAskToBeKeptOrToEnd) {
  PodBuilder kept = Unique();
  (*kept.Get()
        .mutable_pod()
        ->mutable_metadata()
        ->mutable_annotations())["cluster.v1/on-disconnect"] = "keep";
  Assign(kept.Get());
  Pass(absl::Minutes(1));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  (*kept.Get()
        .mutable_pod()
        ->mutable_metadata()
        ->mutable_annotations())["cluster.v1/on-disconnect"] = "stop";
  Assign(kept.Epoch(2).Get());
  Pass(absl::Seconds(5));
  ExpectGone();
}

TEST_F(LeaseTest, Law8_APodWithAClaimOfItsOwnEndsToo) {
  PodBuilder pod;
  v1::Object* claim = pod.Get().add_references();
  claim->mutable_persistent_volume_claim()->mutable_spec()->add_access_modes(
      v1::ACCESS_MODE_READ_WRITE_ONCE_POD);
  Assign(pod.Get());
  Pass(absl::Seconds(5));
  ExpectGone();
}

TEST_F(LeaseTest, Law8_ItsClusterInitHasTheLeaseToo) {
  world_.lease_file = "/run/lease";
  Assign(Unique().Get());
  Settle();
  EXPECT_EQ(machine_.LastSandboxSpec("uid-web").lease_file, "/run/lease");
}

TEST_F(LeaseTest, Law8_AnAgentThatComesBackWithoutLeaseStartsNothing) {
  Assign(Unique().Get());
  Settle();
  stop_at_ = -absl::InfiniteDuration();
  machine_.Exit("uid-web", "web", 137);
  RestartAgent();
  Pass(absl::Minutes(10));
  ExpectGone();
  EXPECT_EQ(machine_.counts().started, 1);
}

TEST_F(LeaseTest, Law8_ANewLeaseDoesNotBringItBack) {
  Assign(Unique().Get());
  Settle();
  // The agent hung while the lease was over, and cluster-init has ended the container.
  machine_.Exit("uid-web", "web", 137);
  stop_at_ += absl::Hours(1);
  worker_->LoseLease();
  Pass(absl::Minutes(10));
  ExpectGone();
  EXPECT_EQ(machine_.counts().started, 1);
}

TEST_F(LeaseTest, Law8_TheLeaseIsShorterThanAnyGrace) {
  PodBuilder pod = Unique();
  Assign(pod.Get());
  Settle();
  machine_.IgnoreSignals(true);
  Assign(pod.Deleted(600).Get());
  Pass(absl::Seconds(2));
  EXPECT_EQ(machine_.counts().kills, 0);
  Pass(absl::Seconds(2));
  EXPECT_EQ(machine_.counts().kills, 1);
}

}  // namespace
}  // namespace cluster::node
