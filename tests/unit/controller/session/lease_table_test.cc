#include "controller/session/lease_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr absl::Duration kLength = absl::Seconds(5);

TEST(LeaseTable, ANodeIsLostExactlyALeaseAfterItsLastSign) {
  LeaseTable leases;
  leases.Renew("a", absl::Seconds(10), kLength);
  leases.Renew("a", absl::Seconds(11), kLength);
  EXPECT_EQ(leases.next(), absl::Seconds(16));
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(16) - absl::Nanoseconds(1)), IsEmpty());
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(16)), ElementsAre("a"));
}

TEST(LeaseTable, ALossIsToldOnce) {
  LeaseTable leases;
  leases.Renew("a", absl::ZeroDuration(), kLength);
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(9)), ElementsAre("a"));
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(99)), IsEmpty());
  leases.Renew("a", absl::Seconds(100), kLength);
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(105)), ElementsAre("a"));
}

TEST(LeaseTable, ASignThatWasHeldUpDoesNotShortenTheLease) {
  LeaseTable leases;
  leases.Renew("a", absl::Seconds(10), kLength);
  leases.Renew("a", absl::Seconds(7), kLength);
  EXPECT_EQ(leases.next(), absl::Seconds(15));
}

TEST(LeaseTable, AShorterLeaseDoesNotEndALongerOne) {
  LeaseTable leases;
  leases.Renew("a", absl::Seconds(10), absl::Seconds(20));
  leases.Renew("a", absl::Seconds(11), absl::Seconds(5));
  EXPECT_EQ(leases.next(), absl::Seconds(30));
  leases.Renew("a", absl::Seconds(26), absl::Seconds(5));
  EXPECT_EQ(leases.next(), absl::Seconds(31));
}

TEST(LeaseTable, AForgottenNodeIsNotLost) {
  LeaseTable leases;
  leases.Renew("a", absl::ZeroDuration(), kLength);
  leases.Renew("b", absl::Seconds(1), kLength);
  leases.Forget("a");
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(50)), ElementsAre("b"));
  EXPECT_EQ(leases.next(), absl::InfiniteDuration());
}

TEST(LeaseTable, ProlongsEveryLease) {
  LeaseTable leases;
  leases.Renew("a", absl::Seconds(1), kLength);
  leases.Renew("b", absl::Seconds(2), kLength);
  leases.Prolong(absl::Seconds(10));
  EXPECT_EQ(leases.next(), absl::Seconds(11) + kLength);
  EXPECT_THAT(leases.TakeExpired(absl::Seconds(11) + kLength), ElementsAre("a"));
  EXPECT_EQ(leases.next(), absl::Seconds(12) + kLength);
}

}  // namespace
}  // namespace cluster::controller
