#include "controller/session/lease_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LeaseTable, ANodeIsLostExactlyALeaseAfterItsLastSign) {
  LeaseTable leases(absl::Seconds(5));
  leases.Renew("a", absl::Seconds(10));
  leases.Renew("a", absl::Seconds(11));
  EXPECT_EQ(leases.next(), absl::Seconds(16));
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(16) - absl::Nanoseconds(1)), IsEmpty());
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(16)), ElementsAre("a"));
}

TEST(LeaseTable, ALossIsToldOnce) {
  LeaseTable leases(absl::Seconds(5));
  leases.Renew("a", absl::ZeroDuration());
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(9)), ElementsAre("a"));
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(99)), IsEmpty());
  leases.Renew("a", absl::Seconds(100));
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(105)), ElementsAre("a"));
}

TEST(LeaseTable, ASignThatWasHeldUpDoesNotShortenTheLease) {
  LeaseTable leases(absl::Seconds(5));
  leases.Renew("a", absl::Seconds(10));
  leases.Renew("a", absl::Seconds(7));
  EXPECT_EQ(leases.next(), absl::Seconds(15));
}

TEST(LeaseTable, AForgottenNodeIsNotLost) {
  LeaseTable leases(absl::Seconds(5));
  leases.Renew("a", absl::ZeroDuration());
  leases.Renew("b", absl::Seconds(1));
  leases.Forget("a");
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(50)), ElementsAre("b"));
  EXPECT_EQ(leases.next(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace cluster::controller
