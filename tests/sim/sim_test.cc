// The seeds of every run of the tests; CLUSTER_SIM_HOURS and CLUSTER_SIM_SEED choose others.
#include <stdlib.h>

#include <iostream>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"

#include "tests/sim/campaign.h"

namespace cluster::sim {
namespace {

// Instrumented programs are slower by an order of magnitude.
#ifdef CLUSTER_SANITIZED
constexpr int64_t kHours = 10;
constexpr int kHoursOfASeed = 5;
#else
constexpr int64_t kHours = 5000;
constexpr int kHoursOfASeed = 25;
#endif

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = getenv(name);
  int64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

TEST(Sim, EveryLawHoldsInEverySeed) {
  CampaignOptions options;
  options.hours = kHoursOfASeed;
  options.first_seed = static_cast<uint64_t>(FromEnvironment("CLUSTER_SIM_SEED", 1));
  options.seeds =
      (FromEnvironment("CLUSTER_SIM_HOURS", kHours) + options.hours - 1) / options.hours;
  const Report report = RunCampaign(options);
  std::cout << Describe(report);
  EXPECT_TRUE(report.failures.empty()) << Describe(report);
  EXPECT_GT(report.repeated, 0);
}

}  // namespace
}  // namespace cluster::sim
