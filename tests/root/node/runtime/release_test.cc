// A pod that is over keeps its records, its last words and its logs, and nothing else of the node.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

using ::testing::IsEmpty;

class ReleaseTest : public ::testing::Test {
 protected:
  SandboxSpec WithPort(const std::string& uid) {
    SandboxSpec sandbox = world_.Sandbox(uid);
    sandbox.host_ports = {{"", 18080, 80, "tcp"}};
    return sandbox;
  }
  // Writes to all that a pod can write to, and ends with 3.
  void RunToItsEnd(const std::string& uid) {
    VolumeSpec memory;
    memory.name = "memory";
    memory.kind = VolumeKind::kMemory;
    VolumeSpec disk;
    disk.name = "disk";
    ContainerSpec spec =
        world_.Spec(uid, {"sh", "-c",
                          "echo word; echo last > /dev/termination-log; echo x > /memory/x; "
                          "echo x > /disk/x; echo x > /x; exit 3"});
    spec.termination_message_path = "/dev/termination-log";
    spec.pod_volumes = {memory, disk};
    for (const char* name : {"memory", "disk"}) {
      VolumeBind bind;
      bind.volume = name;
      bind.target = absl::StrCat("/", name);
      spec.volumes.push_back(bind);
    }
    EXPECT_EQ(world_.RunIn(WithPort(uid), spec).state.exit_code, 3);
  }
  void ExpectRemembered(const std::string& uid) {
    const auto states = world_.runtime().Poll(uid);
    ASSERT_TRUE(states.ok()) << states.status();
    ASSERT_EQ(states->size(), 1u);
    EXPECT_EQ(states->front().phase, ContainerPhase::kExited);
    EXPECT_EQ(states->front().exit_code, 3);
    EXPECT_EQ(states->front().termination_message, "last\n");
    EXPECT_EQ(world_.Log(uid), "word\n");
  }

  RuntimeWorld world_;
};

TEST_F(ReleaseTest, LeavesRecordsAndLogsAlone) {
  RunToItsEnd("pod-a");
  ASSERT_TRUE(world_.runtime().Release("pod-a").ok());
  world_.AwaitQuiet();
  const Census census = world_.TakeCensus();
  EXPECT_THAT(census.processes, IsEmpty());
  EXPECT_THAT(census.cgroups, IsEmpty());
  EXPECT_THAT(census.mounts, IsEmpty());
  EXPECT_THAT(census.leases, IsEmpty());
  const std::string pod = world_.base() + "/state/pods/pod-a";
  EXPECT_FALSE(fs::exists(pod + "/volumes"));
  EXPECT_FALSE(fs::exists(pod + "/containers/main/0/upper"));
  ExpectRemembered("pod-a");
  EXPECT_TRUE(world_.runtime().Release("pod-a").ok()) << "again";
}

TEST_F(ReleaseTest, ItsPortIsFreeAlsoForTheNextAgent) {
  RunToItsEnd("pod-a");
  ASSERT_TRUE(world_.runtime().Release("pod-a").ok());
  world_.AwaitQuiet();
  world_.StopAgent();
  world_.StartAgent();
  ASSERT_EQ(world_.agent().recovered.size(), 1u);
  EXPECT_FALSE(world_.agent().recovered[0].alive);
  EXPECT_THAT(world_.TakeCensus().leases, IsEmpty());
  ExpectRemembered("pod-a");
  world_.Prepare(WithPort("pod-b"));
  ASSERT_TRUE(world_.runtime().Remove("pod-b").ok());
  ASSERT_TRUE(world_.runtime().Remove("pod-a").ok());
  world_.AwaitQuiet();
  EXPECT_THAT(world_.TakeCensus().files, IsEmpty());
}

TEST_F(ReleaseTest, OfAPodThatNeverWasIsNothing) {
  EXPECT_TRUE(world_.runtime().Release("pod-z").ok());
  EXPECT_THAT(world_.TakeCensus().files, IsEmpty());
}

}  // namespace
}  // namespace cluster::node
