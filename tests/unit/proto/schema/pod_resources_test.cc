#include "proto/schema/pod_resources.h"

#include <limits>

#include "gtest/gtest.h"

namespace cluster {
namespace {

// The amount of a container is written as its name.
int64_t AmountOf(const v1::Container& container) { return std::stoll(container.name()); }

struct Amounts {
  std::vector<int64_t> containers;
  struct Init {
    int64_t amount;
    bool sidecar;
  };
  std::vector<Init> init;
};

v1::PodSpec Pod(const Amounts& amounts) {
  v1::PodSpec spec;
  for (const int64_t amount : amounts.containers) {
    spec.add_containers()->set_name(std::to_string(amount));
  }
  for (const Amounts::Init& init : amounts.init) {
    v1::Container* container = spec.add_init_containers();
    container->set_name(std::to_string(init.amount));
    if (init.sidecar) container->set_restart_policy(v1::CONTAINER_RESTART_POLICY_ALWAYS);
  }
  return spec;
}

TEST(EffectiveAmount, IsTheSumOrTheLargestInitContainer) {
  EXPECT_EQ(EffectiveAmount(Pod({{1, 2}, {}}), AmountOf), 3);
  EXPECT_EQ(EffectiveAmount(Pod({{1, 2}, {{2, false}, {3, false}}}), AmountOf), 3);
  EXPECT_EQ(EffectiveAmount(Pod({{1, 2}, {{9, false}, {4, false}}}), AmountOf), 9);
}

TEST(EffectiveAmount, SidecarsCountBesideTheContainersAndBesideLaterInitContainers) {
  EXPECT_EQ(EffectiveAmount(Pod({{1}, {{5, true}}}), AmountOf), 6);
  EXPECT_EQ(EffectiveAmount(Pod({{1}, {{5, true}, {3, false}}}), AmountOf), 8);
  EXPECT_EQ(EffectiveAmount(Pod({{1}, {{3, false}, {5, true}}}), AmountOf), 6)
      << "one that ended before the sidecar began needs nothing of it";
  EXPECT_EQ(EffectiveAmount(Pod({{1}, {{5, true}, {6, true}, {1, false}}}), AmountOf), 12);
}

TEST(EffectiveAmount, StopsAtTheLargestNumber) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(EffectiveAmount(Pod({{kMost, 1}, {}}), AmountOf), kMost);
}

TEST(EveryContainer, LooksAtInitContainersToo) {
  const auto is_one = [](const v1::Container& container) { return container.name() == "1"; };
  EXPECT_TRUE(EveryContainer(Pod({{1}, {{1, false}}}), is_one));
  EXPECT_FALSE(EveryContainer(Pod({{1}, {{2, false}}}), is_one));
}

}  // namespace
}  // namespace cluster
