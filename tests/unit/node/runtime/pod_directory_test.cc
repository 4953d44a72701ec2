#include "node/runtime/pod_directory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

class PodDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = (fs::temp_directory_path() / "pod-directory-XXXXXX").string();
    ASSERT_NE(mkdtemp(base_.data()), nullptr);
    fs::create_directories(base_ + "/state/pods");
    fs::create_directories(base_ + "/run/pods");
  }
  void TearDown() override { fs::remove_all(base_); }

  std::string base_;
};

SandboxSpec SampleSpec() {
  SandboxSpec spec;
  spec.uid = "u-1";
  spec.name_space = "default";
  spec.name = "web";
  spec.hostname = "web";
  spec.domain_name = "web.db.default.svc.cluster.local";
  spec.qos = Qos::kBurstable;
  spec.resources.cpu_request_milli = 100;
  spec.resources.cpu_limit_milli = 200;
  spec.resources.memory_request = 300;
  spec.resources.memory_limit = 400;
  spec.resources.pids_limit = 500;
  spec.host_ports = {{"127.0.0.1", 8080, 80, "tcp"}, {"", 53, 53, "udp"}};
  spec.extra_hosts_lines = {"10.0.0.1\tdb"};
  spec.resolv_conf = "nameserver 10.96.0.10\nsearch a.b\n";
  spec.host_users = true;
  spec.host_network = true;
  spec.sysctls = {{"net.core.somaxconn", "1024"}};
  return spec;
}

TEST_F(PodDirectoryTest, SandboxReadsBackAsWritten) {
  const PodDirectory directory(base_ + "/state", base_ + "/run", "u-1");
  bool fresh = false;
  ASSERT_TRUE(directory.Make(&fresh).ok());
  EXPECT_TRUE(fresh);
  ASSERT_TRUE(directory.WriteSandbox(SampleSpec()).ok());
  ASSERT_TRUE(directory.Make(&fresh).ok());
  EXPECT_FALSE(fresh);
  const SandboxSpec read = directory.ReadSandbox().value();
  EXPECT_EQ(EncodeSandbox(read), EncodeSandbox(SampleSpec()));
  EXPECT_EQ(read.qos, Qos::kBurstable);
  EXPECT_EQ(read.resources.memory_limit, 400);
  EXPECT_EQ(read.host_ports[1].protocol, "udp");
}

TEST_F(PodDirectoryTest, RemembersWhichIdsAreThePods) {
  const PodDirectory directory(base_ + "/state", base_ + "/run", "u-1");
  bool fresh = false;
  ASSERT_TRUE(directory.Make(&fresh).ok());
  EXPECT_FALSE(directory.ReadFirstId().has_value());
  ASSERT_TRUE(directory.RecordFirstId(524288).ok());
  EXPECT_EQ(directory.ReadFirstId(), 524288u);
  EXPECT_FALSE(directory.RecordFirstId(589824).ok()) << "never changed under a pod";
}

TEST_F(PodDirectoryTest, PodsFromBeforeDnsHaveNoNameThere) {
  std::string text = EncodeSandbox(SampleSpec());
  text.replace(text.find("\"domainName\""), 12, "\"unknown\"   ");
  EXPECT_EQ(DecodeSandbox(text).value().domain_name, "");
}

TEST_F(PodDirectoryTest, PodsFromBeforeUserNamespacesHaveNone) {
  std::string text = EncodeSandbox(SampleSpec());
  text.replace(text.find("\"hostUsers\""), 11, "\"unknown\"  ");
  EXPECT_TRUE(DecodeSandbox(text).value().host_users);
}

TEST_F(PodDirectoryTest, TornSandboxIsNoSandbox) {
  const std::string text = EncodeSandbox(SampleSpec());
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(DecodeSandbox(text.substr(0, size)).ok()) << size;
  }
  EXPECT_EQ(DecodeSandbox("[]").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeSandbox("{\"uid\":7}").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(PodDirectoryTest, InstanceFilesTellHowItIs) {
  const PodDirectory directory(base_ + "/state", base_ + "/run", "u-1");
  bool fresh = false;
  ASSERT_TRUE(directory.Make(&fresh).ok());
  ASSERT_TRUE(directory.MakeInstance("web", 3, base_).ok());
  ASSERT_TRUE(directory.MakeInstance("web", 10, base_).ok());
  EXPECT_EQ(directory.ListInstances()["web"], (std::vector<int32_t>{3, 10}));
  EXPECT_FALSE(directory.ReadInstance("web", 3).has_value()) << "recorded, never started";

  const std::string instance = directory.instance("web", 3);
  ASSERT_TRUE(
      WriteNewFile(instance + "/started", "pid 77\nstarted 1000000000\nboot x\n", 0600).ok());
  auto state = directory.ReadInstance("web", 3);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->phase, ContainerPhase::kUnknown);
  EXPECT_EQ(state->pid, 77);

  ASSERT_TRUE(
      WriteNewFile(instance + "/exit",
                   "pid 77\nstarted 1000000000\nfinished 3000000000\ncode 137\nsignal 9\noom 1\n"
                   "message killed by hand\n",
                   0600)
          .ok());
  state = directory.ReadInstance("web", 3);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->phase, ContainerPhase::kExited);
  EXPECT_EQ(state->exit_code, 137);
  EXPECT_EQ(state->signal, 9);
  EXPECT_TRUE(state->oom_killed);
  EXPECT_EQ(state->message, "killed by hand");
  EXPECT_EQ(state->finished_at - state->started_at, absl::Seconds(2));
}

TEST_F(PodDirectoryTest, RootDirectoryTakesTheModeOfTheImages) {
  const PodDirectory directory(base_ + "/state", base_ + "/run", "u-1");
  bool fresh = false;
  ASSERT_TRUE(directory.Make(&fresh).ok());
  ASSERT_EQ(chmod(base_.c_str(), 0751), 0);
  ASSERT_TRUE(directory.MakeInstance("web", 0, base_).ok());
  struct stat info {};
  ASSERT_EQ(stat((directory.instance("web", 0) + "/upper").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0751u);
}

TEST_F(PodDirectoryTest, RemoveTreeFollowsNoLinkAndKnowsNoDepth) {
  const std::string outside = base_ + "/outside";
  fs::create_directories(outside);
  ASSERT_TRUE(WriteNewFile(outside + "/kept", "kept", 0600).ok());
  const std::string tree = base_ + "/tree";
  fs::create_directories(tree);
  fs::create_symlink(outside, tree + "/link");
  fs::create_directories(tree + "/.removed-0/not-empty");
  // 500 levels, entered by descriptor as no path would be short enough.
  int dir = open(tree.c_str(), O_RDONLY | O_DIRECTORY);
  for (int depth = 0; depth < 500; ++depth) {
    ASSERT_EQ(mkdirat(dir, "a-long-name-for-a-directory", 0755), 0);
    const int next = openat(dir, "a-long-name-for-a-directory", O_RDONLY | O_DIRECTORY);
    close(openat(next, "file", O_CREAT | O_WRONLY, 0600));
    close(dir);
    dir = next;
  }
  close(dir);
  const absl::Status removed = RemoveTree(tree);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_FALSE(fs::exists(tree));
  EXPECT_TRUE(fs::exists(outside + "/kept"));
  EXPECT_TRUE(RemoveTree(tree).ok()) << "nothing there is fine";
  fs::create_symlink(outside, base_ + "/as-link");
  EXPECT_FALSE(RemoveTree(base_ + "/as-link").ok());
  EXPECT_TRUE(fs::exists(outside + "/kept"));
}

TEST(CheckName, NamesWhatItRefuses) {
  EXPECT_TRUE(CheckName("pod uid", "0e1c-Ab_c.d+e").ok());
  const absl::Status refused = CheckName("pod uid", "../../etc");
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message().substr(0, 19), "pod uid '../../etc'");
  EXPECT_FALSE(CheckName("pod uid", absl::string_view("a\0b", 3)).ok());
  EXPECT_LT(CheckName("pod uid", std::string(10000, 'a')).message().size(), 300u);
}

}  // namespace
}  // namespace cluster::node
