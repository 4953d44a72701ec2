#include "node/init/launch.h"

#include <memory>
#include <random>

#include "gtest/gtest.h"

#include "node/init/plan_writer.h"

namespace cluster::node {
namespace {

LaunchPlan SamplePlan() {
  LaunchPlan plan;
  plan.name = "web";
  plan.attempt = 3;
  plan.flags = init::kNoNewPrivileges | init::kReadOnlyRoot;
  plan.capabilities = kDefaultCapabilities;
  plan.oom_score_adj = -5;
  plan.instance_path = "/state/pods/u/containers/web/3";
  plan.working_dir = "/srv";
  plan.user = "app:audio";
  plan.argv = {"nginx", "-g", "daemon off;"};
  plan.env = {"PATH=/bin", "EMPTY="};
  plan.layers = {"/layers/a", "/layers/b:with,signs"};
  plan.mounts = PlanMounts({"/etc-of-pod", true, true});
  plan.gid = 77;
  plan.groups = {5, 6};
  plan.limits = {{7, 1024, 4096}};
  plan.boottime_offset = 86400;
  plan.monotonic_offset = -10;
  plan.filter = std::string("\x06\0\0\0\0\0\xff\x7f", 8);
  return plan;
}

class Parsed {
 public:
  explicit Parsed(const std::string& bytes)
      : bytes_(std::make_unique<char[]>(bytes.size())), size_(bytes.size()) {
    // Exactly as large as the plan, so that a sanitizer sees a read behind its end.
    bytes.copy(bytes_.get(), bytes.size());
    good_ = init::ReadLaunch(bytes_.get(), size_, &launch_);
  }
  ~Parsed() { init::FreeLaunch(&launch_); }
  bool good() const { return good_; }
  const init::Launch& launch() const { return launch_; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_;
  bool good_;
  init::Launch launch_;
};

TEST(LaunchPlan, ArrivesAsItWasWritten) {
  const LaunchPlan plan = SamplePlan();
  const Parsed parsed(EncodeLaunchPlan(plan).value());
  ASSERT_TRUE(parsed.good());
  const init::Launch& launch = parsed.launch();
  EXPECT_STREQ(launch.name, "web");
  EXPECT_EQ(launch.attempt, 3);
  EXPECT_EQ(launch.capabilities, kDefaultCapabilities);
  EXPECT_EQ(launch.oom_score_adj, -5);
  EXPECT_STREQ(launch.instance_path, plan.instance_path.c_str());
  EXPECT_STREQ(launch.user, "app:audio");
  ASSERT_EQ(launch.argv.count, 3u);
  EXPECT_STREQ(launch.argv.items[2], "daemon off;");
  EXPECT_EQ(launch.argv.items[3], nullptr);
  EXPECT_STREQ(launch.env.items[1], "EMPTY=");
  EXPECT_STREQ(launch.layers.items[1], "/layers/b:with,signs");
  ASSERT_EQ(launch.mount_count, plan.mounts.mounts.size());
  for (size_t i = 0; i < launch.mount_count; ++i) {
    EXPECT_STREQ(launch.mounts[i].target, plan.mounts.mounts[i].target.c_str());
    EXPECT_EQ(launch.mounts[i].option_count, plan.mounts.mounts[i].options.size());
  }
  EXPECT_EQ(launch.masked.count, plan.mounts.masked.size());
  EXPECT_EQ(launch.gid, 77u);
  ASSERT_EQ(launch.group_count, 2u);
  EXPECT_EQ(launch.groups[1], 6u);
  ASSERT_EQ(launch.limit_count, 1u);
  EXPECT_EQ(launch.limits[0].hard, 4096u);
  EXPECT_EQ(launch.boottime_offset, 86400);
  EXPECT_EQ(launch.monotonic_offset, -10);
  EXPECT_EQ(std::string(static_cast<const char*>(launch.filter), launch.filter_size), plan.filter);
}

// What came after the first form: the process namespace to join, a string that is empty here.
constexpr size_t kTail = sizeof(uint32_t) + 1;

TEST(LaunchPlan, IsRefusedWhenCutOffAnywhere) {
  const std::string bytes = EncodeLaunchPlan(SamplePlan()).value();
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (size == bytes.size() - kTail) continue;
    EXPECT_FALSE(Parsed(bytes.substr(0, size)).good()) << size;
  }
}

TEST(LaunchPlan, OfAnOlderAgentIsReadAsFarAsItGoes) {
  const std::string bytes = EncodeLaunchPlan(SamplePlan()).value();
  const Parsed parsed(bytes.substr(0, bytes.size() - kTail));
  ASSERT_TRUE(parsed.good());
  EXPECT_STREQ(parsed.launch().name, "web");
  EXPECT_STREQ(parsed.launch().pid_namespace_of, "");
}

TEST(LaunchPlan, SurvivesAnyChangeOfItsBytes) {
  const std::string bytes = EncodeLaunchPlan(SamplePlan()).value();
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string changed = bytes;
    for (int n = 0; n < 1 + round % 3; ++n) {
      changed[random() % changed.size()] = static_cast<char>(random() % 4 == 0 ? 0xff : random());
    }
    const Parsed parsed(changed);  // refused or not: nothing outside is read
  }
}

TEST(EncodeLaunchPlan, RefusesWhatTheKernelCannotBeTold) {
  LaunchPlan plan = SamplePlan();
  plan.argv.clear();
  EXPECT_EQ(EncodeLaunchPlan(plan).status().code(), absl::StatusCode::kInvalidArgument);
  plan = SamplePlan();
  plan.env.push_back(std::string("A=b\0c", 5));
  EXPECT_EQ(EncodeLaunchPlan(plan).status().code(), absl::StatusCode::kInvalidArgument);
  plan = SamplePlan();
  plan.env.push_back(std::string(init::kMaxPlan, 'x'));
  EXPECT_EQ(EncodeLaunchPlan(plan).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cluster::node
