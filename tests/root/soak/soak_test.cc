// The soak: CLUSTER_SOAK_SECONDS of it (60 by default, hours where one asks), from
// CLUSTER_SOAK_SEED. What it did is printed at the end.
#include "tests/root/soak/soak.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

constexpr int64_t kDisk = 96 << 20;
constexpr int kStepsToAQuietPoint = 50;

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = getenv(name);
  int64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

TEST(SoakTest, NothingIsLostDoubledOrLeftWhateverDies) {
  const auto seed = static_cast<unsigned>(FromEnvironment("CLUSTER_SOAK_SEED", getpid()));
  const absl::Time end = absl::Now() + absl::Seconds(FromEnvironment("CLUSTER_SOAK_SECONDS", 60));
  std::cout << "seed " << seed << std::endl;
  Soak soak(seed, kDisk);
  int quiet_points = 0;
  while (absl::Now() < end && !::testing::Test::HasFailure()) {
    for (int i = 0; i < kStepsToAQuietPoint && !::testing::Test::HasFailure(); ++i) soak.Step();
    soak.Check();
    ++quiet_points;
  }
  soak.Finish();
  std::cout << soak.steps() << " steps, " << quiet_points << " quiet points";
  for (const auto& [what, count] : soak.counts()) std::cout << ", " << count << " " << what;
  std::cout << std::endl;
  EXPECT_GT(quiet_points, 0);
}

}  // namespace
}  // namespace cluster::node
