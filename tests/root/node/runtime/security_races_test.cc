// Paths of the image or a volume that change while the runtime mounts on them. A second process
// swaps a directory and a link as fast as it can; what must not happen is that anything of the host
// is seen, made or changed.
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/security_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// CLUSTER_RACE_ROUNDS raises it.
int Rounds() {
  const char* text = getenv("CLUSTER_RACE_ROUNDS");
  int rounds = 0;
  return text != nullptr && absl::SimpleAtoi(text, &rounds) ? rounds : 40;
}

// Swaps two names of a directory until it is destroyed.
class Swapper {
 public:
  Swapper(const std::string& first, const std::string& second) {
    pid_ = fork();
    if (pid_ != 0) return;
    for (;;) {
      syscall(SYS_renameat2, AT_FDCWD, first.c_str(), AT_FDCWD, second.c_str(), RENAME_EXCHANGE);
    }
  }
  ~Swapper() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

VolumeBind SeenAt(const std::string& source, const std::string& target) {
  VolumeBind bind;
  bind.source = source;
  bind.target = target;
  return bind;
}

class SecurityRacesTest : public SecurityTest {
 protected:
  void SetUp() override {
    SecurityTest::SetUp();
    host_ = world_.base() + "/host";
    fs::create_directories(host_ + "/secret");
    WriteTestFile(host_ + "/secret/canary", "of the host\n");
  }
  // All paths below the host's directory.
  std::set<std::string> HostTree() const {
    std::set<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(host_)) paths.insert(entry.path());
    return paths;
  }
  std::string host_;
};

// CVE-2021-30465: a volume that two containers share; one of them swaps what the other is mounted
// on.
TEST_F(SecurityRacesTest, Row4_AMountTargetThatIsSwappedLeadsNowhere) {
  const std::string volume = world_.base() + "/volume";
  fs::create_directories(volume + "/target");
  fs::create_symlink(host_ + "/secret", volume + "/link");
  const std::string inner = world_.base() + "/inner";
  fs::create_directories(inner);
  WriteTestFile(inner + "/mine", "of the volume\n");
  const std::set<std::string> before = HostTree();
  const Swapper swapper(volume + "/target", volume + "/link");
  int started = 0;
  for (int round = 0; round < Rounds(); ++round) {
    ContainerSpec spec = world_.Spec(absl::StrCat("race-", round),
                                     {"sh", "-c",
                                      "cat /v/target/canary /v/link/canary; cat /v/*/mine; "
                                      "echo over > /v/target/mine"});
    spec.volumes = {SeenAt(volume, "/v"), SeenAt(inner, "/v/target")};
    world_.Prepare(spec.pod_uid);
    const auto state = world_.runtime().StartContainer(spec);
    if (state.ok() && state->message.empty()) {
      world_.Await(spec.pod_uid);
      EXPECT_THAT(world_.Log(spec.pod_uid), Not(HasSubstr("of the host"))) << round;
      ++started;
    }
    ASSERT_TRUE(world_.runtime().Remove(spec.pod_uid).ok());
  }
  EXPECT_EQ(HostTree(), before);
  EXPECT_EQ(ReadFile(host_ + "/secret/canary").value(), "of the host\n");
  EXPECT_GT(started, 0) << "not one round came as far as the race";
}

// CVE-2024-45310: what is missing on the way to a mount point is made, but never on the host.
TEST_F(SecurityRacesTest, Row7_AMissingMountPointIsNeverMadeOnTheHost) {
  const std::string volume = world_.base() + "/volume";
  fs::create_directories(volume + "/way");
  fs::create_symlink(host_, volume + "/link");
  const std::string inner = world_.base() + "/inner";
  fs::create_directories(inner);
  const std::set<std::string> before = HostTree();
  const Swapper swapper(volume + "/way", volume + "/link");
  for (int round = 0; round < Rounds(); ++round) {
    ContainerSpec spec = world_.Spec(absl::StrCat("race-", round), {"true"});
    spec.volumes = {SeenAt(volume, "/v"),
                    SeenAt(inner, absl::StrCat("/v/way/new-", round, "/deep"))};
    world_.Prepare(spec.pod_uid);
    const auto state = world_.runtime().StartContainer(spec);
    if (state.ok() && state->message.empty()) world_.Await(spec.pod_uid);
    ASSERT_TRUE(world_.runtime().Remove(spec.pod_uid).ok());
  }
  EXPECT_EQ(HostTree(), before);
}

// The control of both: where names are simply followed, the swap is hit.
TEST_F(SecurityRacesTest, Rows4And7_TheControlRunsIntoTheSwap) {
  const std::string volume = world_.base() + "/volume";
  fs::create_directories(volume + "/target");
  fs::create_symlink(host_ + "/secret", volume + "/link");
  const Swapper swapper(volume + "/target", volume + "/link");
  bool hit = false;
  for (int round = 0; round < 1000000 && !hit; ++round) {
    hit = access((volume + "/target/canary").c_str(), F_OK) == 0;
  }
  EXPECT_TRUE(hit);
}

// CVE-2025-52881: settings are written through a procfs of the runtime's own, so containers that
// share a directory where /proc/sys would be change nothing for each other or for the node.
TEST_F(SecurityRacesTest, Row6_SettingsGoWhereTheyBelong) {
  const std::string shared = world_.base() + "/shared";
  fs::create_directories(shared + "/self/attr");
  const std::string pattern = ReadFile("/proc/sys/kernel/core_pattern").value();
  const std::string panic = ReadFile("/proc/sys/kernel/panic").value();
  for (const char* target : {"/proc", "/proc/self/attr", "/proc/sys/net", "/sys"}) {
    ContainerSpec spec = world_.Spec(absl::StrCat("pod-", ++probes_), {"true"});
    spec.volumes = {SeenAt(shared, target)};
    world_.Prepare(spec.pod_uid);
    EXPECT_EQ(world_.runtime().StartContainer(spec).status().code(),
              absl::StatusCode::kInvalidArgument)
        << target;
  }
  SandboxSpec sandbox = world_.Sandbox("set");
  sandbox.sysctls = {{"net.ipv4.tcp_keepalive_time", "77"}, {"kernel.shmmni", "99"}};
  const std::string keepalive = ReadFile("/proc/sys/net/ipv4/tcp_keepalive_time").value();
  const std::string shmmni = ReadFile("/proc/sys/kernel/shmmni").value();
  const auto outcome =
      world_.RunIn(sandbox, world_.Spec("set", {"cat", "/proc/sys/net/ipv4/tcp_keepalive_time",
                                                "/proc/sys/kernel/shmmni"}));
  EXPECT_EQ(outcome.log, "77\n99\n");
  EXPECT_EQ(ReadFile("/proc/sys/net/ipv4/tcp_keepalive_time").value(), keepalive);
  EXPECT_EQ(ReadFile("/proc/sys/kernel/shmmni").value(), shmmni);
  EXPECT_EQ(ReadFile("/proc/sys/kernel/core_pattern").value(), pattern);
  EXPECT_EQ(ReadFile("/proc/sys/kernel/panic").value(), panic);
}

}  // namespace
}  // namespace cluster::node
