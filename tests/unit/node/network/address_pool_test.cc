#include "node/network/address_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

class AddressPoolTest : public ::testing::Test {
 protected:
  std::string Take(absl::Duration now) {
    const auto taken = pool_.Take(now);
    return taken.ok() ? ToString(*taken) : std::string(taken.status().message());
  }
  // Five addresses: .2 to .6.
  AddressPool pool_{ParseCidr("10.64.0.0/29").value(), absl::Seconds(30)};
};

TEST_F(AddressPoolTest, NetworkGatewayAndBroadcastAreNeverGivenOut) {
  EXPECT_EQ(ToString(pool_.gateway()), "10.64.0.1");
  for (const char* address : {"10.64.0.0", "10.64.0.1", "10.64.0.7", "10.64.0.8"}) {
    EXPECT_FALSE(pool_.TakeExactly(ParseIpv4(address).value())) << address;
  }
  for (int i = 2; i <= 6; ++i) EXPECT_EQ(Take({}), absl::StrCat("10.64.0.", i));
  EXPECT_EQ(Take({}), "no free address in 10.64.0.0/29: all 5 are in use");
}

TEST_F(AddressPoolTest, OneGivenBackComesUpAgainAfterAllOthers) {
  EXPECT_EQ(Take({}), "10.64.0.2");
  EXPECT_EQ(Take({}), "10.64.0.3");
  pool_.GiveBack(ParseIpv4("10.64.0.2").value(), {});
  for (int i = 4; i <= 6; ++i) EXPECT_EQ(Take(absl::Hours(1)), absl::StrCat("10.64.0.", i));
  EXPECT_EQ(Take(absl::Hours(1)), "10.64.0.2");
}

TEST_F(AddressPoolTest, RestartedRingGoesOnFromItsCursor) {
  pool_.StartAt(ParseIpv4("10.64.0.5").value());
  EXPECT_EQ(Take({}), "10.64.0.5");
  EXPECT_EQ(ToString(pool_.Ahead(0)), "10.64.0.6");
  EXPECT_EQ(ToString(pool_.Ahead(2)), "10.64.0.3");
  EXPECT_EQ(Take({}), "10.64.0.6");
  EXPECT_EQ(Take({}), "10.64.0.2");
  pool_.StartAt(ParseIpv4("10.65.0.5").value());
  EXPECT_EQ(Take({}), "10.64.0.3") << "a cursor of another range";
}

TEST_F(AddressPoolTest, OneGivenBackRestsAndTheRefusalSaysHowLong) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(pool_.Take({}).ok());
  pool_.GiveBack(ParseIpv4("10.64.0.3").value(), absl::Seconds(10));
  EXPECT_EQ(Take(absl::Seconds(20)),
            "no free address in 10.64.0.0/29: 4 are in use, 1 rest after their last pod, the next "
            "for another 20s");
  EXPECT_EQ(Take(absl::Seconds(40)), "10.64.0.3");
}

TEST_F(AddressPoolTest, AddressesFoundInTheJournalAreNotGivenOutAgain) {
  EXPECT_TRUE(pool_.TakeExactly(ParseIpv4("10.64.0.2").value()));
  EXPECT_FALSE(pool_.TakeExactly(ParseIpv4("10.64.0.2").value()));
  EXPECT_EQ(Take({}), "10.64.0.3");
  EXPECT_EQ(pool_.taken(), 2u);
}

TEST_F(AddressPoolTest, GivingBackWhatIsNotTakenChangesNothing) {
  pool_.GiveBack(ParseIpv4("10.64.0.2").value(), {});
  EXPECT_EQ(Take({}), "10.64.0.2");
}

}  // namespace
}  // namespace cluster::node
