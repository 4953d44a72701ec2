// What agents of other versions wrote beside their pods, as this one reads it (behaviour 82).
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "node/runtime/pod_directory.h"

namespace cluster::node {
namespace {

// Before huge pages, disk limits and user namespaces: five numbers, and nothing of the node's own
// namespaces.
constexpr char kFirstSandbox[] =
    R"({"version":1,"uid":"u-1","namespace":"default","name":"web","hostname":"web","qos":1,)"
    R"("resources":[100,200,300,400,500],"hostPorts":[["127.0.0.1",8080,80,"tcp"]],)"
    R"("hosts":["10.0.0.1\tdb"],"resolvConf":"nameserver 10.96.0.10\n"})";

// Of commit 0cd5c59, before pods had names (3b9846e).
constexpr char kNamelessSandbox[] =
    R"({"hostIpc":false,"hostNetwork":false,"hostPid":false,"hostPorts":[],"hostUsers":false,)"
    R"("hosts":[],"hostname":"db","name":"db","namespace":"shop","qos":2,"resolvConf":"",)"
    R"("resources":[1000,0,1048576,2097152,64,[[2097152,4194304]],1572864,50,[["sda",8,0,1,2,3,4]]],)"
    R"("shareProcesses":true,"sysctls":[["net.core.somaxconn","1024"]],"uid":"u-2","version":1})";

class OlderDirectory : public ::testing::Test {
 protected:
  OlderDirectory() {
    char path[] = "/tmp/cluster-older-XXXXXX";
    base_ = mkdtemp(path);
    std::filesystem::create_directories(base_ + "/state/pods/u-1/containers/web/2");
    std::filesystem::create_directories(base_ + "/run/pods/u-1");
  }
  ~OlderDirectory() override { std::filesystem::remove_all(base_); }
  PodDirectory Pod() const { return PodDirectory(base_ + "/state", base_ + "/run", "u-1"); }
  void Leave(const std::string& file, const std::string& text) const {
    ASSERT_TRUE(WriteNewFile(absl::StrCat(base_, "/state/pods/u-1/", file), text, 0600).ok());
  }

  std::string base_;
};

TEST_F(OlderDirectory, ASandboxOfTheFirstVersionIsThePodsStill) {
  Leave("sandbox", kFirstSandbox);
  const absl::StatusOr<SandboxSpec> sandbox = Pod().ReadSandbox();
  ASSERT_TRUE(sandbox.ok()) << sandbox.status();
  EXPECT_EQ(sandbox->name, "web");
  EXPECT_EQ(sandbox->qos, Qos::kBurstable);
  EXPECT_EQ(sandbox->resources.cpu_limit_milli, 200);
  EXPECT_EQ(sandbox->resources.pids_limit, 500);
  EXPECT_TRUE(sandbox->resources.disks.empty());
  EXPECT_EQ(sandbox->host_ports[0].host_port, 8080);
  EXPECT_EQ(sandbox->extra_hosts_lines, std::vector<std::string>{"10.0.0.1\tdb"});
  // It has no user namespace, and none of the node's others.
  EXPECT_TRUE(sandbox->host_users);
  EXPECT_FALSE(sandbox->host_network || sandbox->host_pid || sandbox->host_ipc);
  EXPECT_FALSE(sandbox->share_process_namespace);
  EXPECT_FALSE(Pod().ReadFirstId().has_value());
  EXPECT_FALSE(Pod().IsReleased()) << "it is in use: there was no such mark";
  // And is written in today's form when the pod is resized, with nothing else changed.
  ASSERT_TRUE(Pod().WriteSandbox(*sandbox).ok());
  EXPECT_EQ(EncodeSandbox(Pod().ReadSandbox().value()), EncodeSandbox(*sandbox));
}

TEST_F(OlderDirectory, ASandboxFromBeforeNamesKeepsEverythingElse) {
  const SandboxSpec sandbox = DecodeSandbox(kNamelessSandbox).value();
  EXPECT_EQ(sandbox.domain_name, "");
  EXPECT_EQ(sandbox.hostname, "db");
  EXPECT_FALSE(sandbox.host_users);
  EXPECT_TRUE(sandbox.share_process_namespace);
  EXPECT_EQ(sandbox.resources.hugepages.at(2097152), 4194304);
  EXPECT_EQ(sandbox.resources.memory_high, 1572864);
  EXPECT_EQ(sandbox.resources.disks[0].writes_per_second, 4);
  EXPECT_EQ(sandbox.sysctls[0].second, "1024");
}

TEST_F(OlderDirectory, ASandboxOfALaterVersionIsReadAsFarAsItIsKnown) {
  const std::string later = absl::StrReplaceAll(
      kNamelessSandbox,
      {{R"("hosts":[])", R"("hosts":[],"newThing":{"a":[1,2]})"},
       {R"([["sda",8,0,1,2,3,4]]])", R"([["sda",8,0,1,2,3,4,99]],"another limit"])"}});
  const absl::StatusOr<SandboxSpec> sandbox = DecodeSandbox(later);
  ASSERT_TRUE(sandbox.ok()) << sandbox.status();
  EXPECT_EQ(EncodeSandbox(*sandbox), EncodeSandbox(DecodeSandbox(kNamelessSandbox).value()));
}

TEST_F(OlderDirectory, ASandboxOfAnotherFormatIsRefusedInASentence) {
  const absl::Status refused =
      DecodeSandbox(absl::StrReplaceAll(kNamelessSandbox, {{R"("version":1)", R"("version":2)"}}))
          .status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_NE(refused.message().find("its record is of format 2, and this version reads 1; start the "
                                   "version that made the pod"),
            std::string::npos)
      << refused;
}

// Written by older cluster-inits: without the machine's life, start time and handle.
TEST_F(OlderDirectory, EndsAreReadWithFewerAndWithMoreLines) {
  Leave("containers/web/2/started", "pid 77\nstarted 1000000000\n");
  auto state = Pod().ReadInstance("web", 2);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->phase, ContainerPhase::kUnknown);
  Leave("containers/web/2/exit", "pid 77\nstarted 1000000000\nfinished 3000000000\ncode 7\n");
  state = Pod().ReadInstance("web", 2);
  EXPECT_EQ(state->phase, ContainerPhase::kExited);
  EXPECT_EQ(state->exit_code, 7);
  EXPECT_FALSE(state->oom_killed);
  // By a later one.
  Leave("containers/web/2/exit",
        "format 2\npid 77\nstarted 1000000000\nfinished 3000000000\ncode 137\nsignal 9\noom 1\n"
        "pressure 12.5 of a kind\ncores 3\nmessage gone\n");
  state = Pod().ReadInstance("web", 2);
  EXPECT_EQ(state->phase, ContainerPhase::kExited);
  EXPECT_EQ(state->exit_code, 137);
  EXPECT_TRUE(state->oom_killed);
  EXPECT_EQ(state->message, "gone");
}

}  // namespace
}  // namespace cluster::node
