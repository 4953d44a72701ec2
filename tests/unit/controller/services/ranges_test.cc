#include "controller/services/ranges.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

constexpr char kPods[] = "10.64.0.0/10";

std::string Refusal(const std::string& cidr, const std::string& ports = kDefaultNodePorts) {
  const auto ranges = ParseServiceRanges(cidr, ports, kPods);
  return ranges.ok() ? "" : std::string(ranges.status().message());
}

TEST(ServiceRanges, TheDefaultsAreThoseOfTheStruct) {
  const auto ranges = ParseServiceRanges(kDefaultServiceCidr, kDefaultNodePorts, kPods);
  ASSERT_TRUE(ranges.ok()) << ranges.status();
  EXPECT_EQ(ranges->addresses, ServiceRanges().addresses);
  EXPECT_EQ(ranges->first_port, ServiceRanges().first_port);
  EXPECT_EQ(ranges->last_port, ServiceRanges().last_port);
}

TEST(ServiceRanges, AreRefusedInOneSentence) {
  EXPECT_EQ(Refusal("10.60.0.0/12"),
            "--service-cidr 10.60.0.0/12 has address bits beyond its prefix: write 10.48.0.0/12");
  EXPECT_EQ(Refusal("10.0.0.0/11"),
            "--service-cidr 10.0.0.0/11 has no fitting size: choose a prefix from /12 to /28");
  EXPECT_EQ(Refusal("10.60.0.0/29"),
            "--service-cidr 10.60.0.0/29 has no fitting size: choose a prefix from /12 to /28");
  EXPECT_EQ(Refusal("web"), "--service-cidr web is no IPv4 range: write one like 10.60.0.0/16");
  EXPECT_EQ(Refusal("10.96.0.0/16"),
            "--service-cidr 10.96.0.0/16 overlaps the range of pods, --cluster-cidr 10.64.0.0/10: "
            "choose another one");
  EXPECT_FALSE(ParseServiceRanges("10.60.0.0/16", kDefaultNodePorts, "10.60.4.0/24").ok())
      << "whichever is the larger one";
  for (const char* ports : {"", "30000", "0-5", "5-4", "1-65536", "a-b", "1-2-3"}) {
    EXPECT_EQ(
        Refusal("10.60.0.0/28", ports),
        absl::StrCat("--node-ports ", ports, " is no range of ports: write one like 30000-32767"));
  }
  EXPECT_EQ(Refusal("10.60.0.0/28", "80-80"), "");
}

TEST(ChooseFree, GivesEverythingOutOnceAndKeepsTheFirstForLast) {
  std::set<uint32_t> given;
  std::vector<uint32_t> order;
  for (int i = 0; i < 64; ++i) {
    const auto chosen = ChooseFree(64, absl::StrCat("uid-", i),
                                   [&](uint32_t each) { return !given.contains(each); });
    ASSERT_TRUE(chosen.has_value());
    ASSERT_LT(*chosen, 64u);
    EXPECT_TRUE(given.insert(*chosen).second);
    order.push_back(*chosen);
  }
  EXPECT_EQ(std::set<uint32_t>(order.end() - 4, order.end()), (std::set<uint32_t>{0, 1, 2, 3}));
  EXPECT_FALSE(ChooseFree(64, "uid", [](uint32_t) { return false; }).has_value());
}

TEST(ChooseFree, WhatWasGivenBackIsNotTheNext) {
  const auto any = [](uint32_t) { return true; };
  std::set<uint32_t> chosen;
  for (int i = 0; i < 20; ++i) chosen.insert(*ChooseFree(65534, absl::StrCat("uid-", i), any));
  EXPECT_GT(chosen.size(), 15u);
  EXPECT_EQ(ChooseFree(65534, "uid", any), ChooseFree(65534, "uid", any)) << "asked again";
  EXPECT_EQ(ChooseFree(1, "uid", any), 0u);
}

}  // namespace
}  // namespace cluster::controller
