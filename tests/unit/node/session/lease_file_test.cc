#include "node/session/lease_file.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace cluster::node {
namespace {

class LeaseFileTest : public ::testing::Test {
 protected:
  LeaseFileTest() {
    char path[] = "/tmp/cluster-lease-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~LeaseFileTest() override { std::filesystem::remove_all(directory_); }
  std::string path() const { return directory_ + "/lease"; }

  std::string directory_;
};

TEST_F(LeaseFileTest, ThereIsNoLeaseAtFirst) {
  const auto lease = LeaseFile::Open(path());
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ((*lease)->stop_at(), -absl::InfiniteDuration());
}

TEST_F(LeaseFileTest, PodsAreToldALittleBeforeItsEnd) {
  const auto lease = LeaseFile::Open("").value();
  ASSERT_TRUE(lease->Extend(absl::Seconds(100), absl::Seconds(4)).ok());
  EXPECT_EQ(lease->stop_at(), absl::Seconds(99));
  ASSERT_TRUE(lease->Extend(absl::Seconds(101), absl::Milliseconds(400)).ok());
  EXPECT_EQ(lease->stop_at(), absl::Seconds(101) - absl::Milliseconds(100));
  ASSERT_TRUE(lease->Extend(absl::Seconds(50), absl::Seconds(4)).ok());
  EXPECT_EQ(lease->stop_at(), absl::Seconds(101) - absl::Milliseconds(100));
}

TEST_F(LeaseFileTest, Law8_TheNextAgentGoesOnWithWhatIsLeft) {
  ASSERT_TRUE(LeaseFile::Open(path()).value()->Extend(absl::Seconds(100), absl::Seconds(4)).ok());
  EXPECT_EQ(LeaseFile::Open(path()).value()->stop_at(), absl::Seconds(99));
}

TEST_F(LeaseFileTest, Law8_ALeaseThatLapsedIsKnownToHave) {
  const auto lease = LeaseFile::Open("").value();
  EXPECT_FALSE(lease->HasLapsed(absl::Hours(1))) << "there was none";
  ASSERT_TRUE(lease->Extend(absl::Seconds(100), absl::Seconds(4)).ok());
  EXPECT_FALSE(lease->HasLapsed(absl::Seconds(98)));
  EXPECT_TRUE(lease->HasLapsed(absl::Seconds(99)));
}

TEST_F(LeaseFileTest, WhatIsTornIsNoLease) {
  ASSERT_TRUE(LeaseFile::Open(path()).value()->Extend(absl::Seconds(100), absl::Seconds(4)).ok());
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.put('x');
  }
  EXPECT_EQ(LeaseFile::Open(path()).value()->stop_at(), -absl::InfiniteDuration());
}

}  // namespace
}  // namespace cluster::node
