#include "node/cgroup/cpu_pool.h"

#include <unistd.h>

#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two packages of four cores of two threads: cpu n and n + 8 are one core.
std::vector<Cpu> BigMachine() {
  std::vector<Cpu> cpus;
  for (int id = 0; id < 16; ++id) cpus.push_back({id, id % 8 / 4, id % 8});
  return cpus;
}

std::vector<Cpu> Plain(int count) {
  std::vector<Cpu> cpus;
  for (int id = 0; id < count; ++id) cpus.push_back({id, 0, id});
  return cpus;
}

TEST(CpuListTest, ReadsAndWritesTheKernelsLists) {
  EXPECT_EQ(FormatCpus({0, 1, 2, 3, 8, 10, 11}), "0-3,8,10-11");
  EXPECT_EQ(FormatCpus({}), "");
  EXPECT_THAT(ParseCpus(" 0-2,5\n").value(), ElementsAre(0, 1, 2, 5));
  EXPECT_THAT(ParseCpus("").value(), IsEmpty());
  for (const char* text : {"a", "1-", "3-1", "1,,2", "-1", "0-100000"}) {
    EXPECT_FALSE(ParseCpus(text).ok()) << text;
  }
}

TEST(CpuPoolTest, TheCoreWithTheLowestCpuStaysCommon) {
  CpuPool pool(BigMachine());
  EXPECT_EQ(pool.Give("a", 15).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(pool.Give("a", 14).value().size(), 14u);
  EXPECT_THAT(pool.Common(), ElementsAre(0, 8));
  CpuPool one(Plain(1));
  EXPECT_FALSE(one.Give("a", 1).ok());
}

TEST(CpuPoolTest, GivesWholeCoresOfOnePackage) {
  CpuPool pool(BigMachine());
  EXPECT_THAT(pool.Give("a", 4).value(), ElementsAre(1, 2, 9, 10)) << "the fuller package first";
  EXPECT_THAT(pool.Give("b", 4).value(), ElementsAre(4, 5, 12, 13));
  EXPECT_THAT(pool.Give("c", 2).value(), ElementsAre(3, 11));
}

TEST(CpuPoolTest, AskingAgainGivesTheSame) {
  CpuPool pool(Plain(4));
  const CpuSet first = pool.Give("u1/web", 2).value();
  EXPECT_EQ(pool.Give("u1/web", 2).value(), first);
  EXPECT_EQ(pool.Of("u1/web"), first);
}

TEST(CpuPoolTest, WhatIsReturnedIsCommonAgain) {
  CpuPool pool(Plain(4));
  ASSERT_TRUE(pool.Give("u1/web", 1).ok());
  ASSERT_TRUE(pool.Give("u1/log", 1).ok());
  ASSERT_TRUE(pool.Give("u10/web", 1).ok());
  EXPECT_TRUE(pool.Return("u1/"));
  EXPECT_FALSE(pool.Return("u1/"));
  EXPECT_EQ(pool.Common().size(), 3u);
  EXPECT_EQ(pool.Of("u10/web").size(), 1u);
}

TEST(CpuPoolTest, AdoptionRefusesWhatIsSomebodyElsesOrGone) {
  CpuPool pool(Plain(4));
  EXPECT_TRUE(pool.Adopt("a", {1, 2}).ok());
  EXPECT_TRUE(pool.Adopt("a", {1, 2}).ok()) << "again";
  EXPECT_FALSE(pool.Adopt("b", {2, 3}).ok());
  EXPECT_FALSE(pool.Adopt("b", {7}).ok());
  EXPECT_THAT(pool.Of("b"), IsEmpty());
  EXPECT_THAT(pool.Give("b", 1).value(), ElementsAre(3));
}

TEST(CpuPoolTest, AnotherNumberKeepsWhatItCan) {
  CpuPool pool(BigMachine());
  ASSERT_THAT(pool.Give("a", 1).value(), ElementsAre(1));
  EXPECT_THAT(pool.Give("a", 2).value(), ElementsAre(1, 9)) << "the other half of its core first";
  EXPECT_THAT(pool.Give("a", 4).value(), ElementsAre(1, 2, 9, 10)) << "then its package";
  EXPECT_THAT(pool.Give("a", 2).value(), ElementsAre(1, 9)) << "a whole core stays";
  EXPECT_THAT(pool.Give("b", 2).value(), ElementsAre(2, 10)) << "what was let go is to be had";
  EXPECT_FALSE(pool.Give("a", 15).ok());
  EXPECT_THAT(pool.Of("a"), ElementsAre(1, 9)) << "as before";
}

TEST(CpuPoolTest, WhoAdoptsNoneHasNone) {
  CpuPool pool(Plain(4));
  ASSERT_TRUE(pool.Give("u1/web", 1).ok());
  ASSERT_TRUE(pool.Give("u1/web2", 1).ok());
  EXPECT_TRUE(pool.Adopt("u1/web", {}).ok());
  EXPECT_THAT(pool.Of("u1/web"), IsEmpty());
  EXPECT_EQ(pool.Of("u1/web2").size(), 1u);
}

TEST(CpuPoolTest, NoCpuIsEverGivenTwice) {
  std::minstd_rand random(7);
  for (int round = 0; round < 200; ++round) {
    CpuPool pool(BigMachine());
    for (int step = 0; step < 40; ++step) {
      const std::string holder = absl::StrCat("p", random() % 10, "/c");
      if (random() % 3 == 0) {
        pool.Return(holder);
      } else {
        (void)pool.Give(holder, static_cast<int>(random() % 5) + 1);
      }
      CpuSet all = pool.Common();
      size_t total = all.size();
      for (int i = 0; i < 10; ++i) {
        const CpuSet own = pool.Of(absl::StrCat("p", i, "/c"));
        total += own.size();
        all.insert(own.begin(), own.end());
      }
      ASSERT_EQ(total, 16u);
      ASSERT_EQ(all.size(), 16u);
    }
  }
}

TEST(ReadCpusTest, TakesThoseOnlineWithTheirPlaces) {
  const std::filesystem::path top =
      std::filesystem::path(::testing::TempDir()) / absl::StrCat("cpus-", ::getpid());
  for (const int id : {0, 2}) {
    const std::filesystem::path topology = top / absl::StrCat("cpu", id) / "topology";
    std::filesystem::create_directories(topology);
    ASSERT_TRUE(WriteFileDurably((topology / "physical_package_id").string(), "1\n").ok());
    ASSERT_TRUE(WriteFileDurably((topology / "core_id").string(), absl::StrCat(id, "\n")).ok());
  }
  ASSERT_TRUE(WriteFileDurably((top / "online").string(), "0,2\n").ok());
  EXPECT_THAT(ReadCpus(top.string()).value(), ElementsAre(Cpu{0, 1, 0}, Cpu{2, 1, 2}));
  std::filesystem::remove_all(top);
}

}  // namespace
}  // namespace cluster::node
