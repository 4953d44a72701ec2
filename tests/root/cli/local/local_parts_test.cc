// The parts of a local cluster on the real kernel: namespaces, hub, groups and processes.
// Everything lies in namespaces and groups of a cluster named after this process.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "cli/local/groups.h"
#include "cli/local/hub.h"
#include "cli/local/namespaces.h"
#include "cli/local/process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "base/netlink_route.h"

namespace cluster::cli {
namespace {

#define ASSERT_OK(expr)                       \
  do {                                        \
    const absl::Status ok_status = (expr);    \
    ASSERT_TRUE(ok_status.ok()) << ok_status; \
  } while (false)

class LocalParts : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0u) << "run as root";
    layout_.name = absl::StrCat("t", getpid());
    definition_ = MakeDefinition(layout_.name, 2);
    ASSERT_OK(MakeDirectories(layout_.Run() + "/pids"));
    ASSERT_OK(MakePinDirectory(layout_.Namespaces()));
  }
  void TearDown() override {
    EXPECT_TRUE(KillGroup(layout_.CgroupRoot()).ok());
    EXPECT_TRUE(RemoveGroup(layout_.CgroupRoot()).ok());
    std::error_code error;
    for (const auto& pin : std::filesystem::directory_iterator(layout_.Namespaces(), error)) {
      EXPECT_TRUE(Unpin(pin.path().string()).ok());
    }
    EXPECT_TRUE(RemovePinDirectory(layout_.Namespaces()).ok());
    std::filesystem::remove_all(layout_.Run());
    rmdir(kLocalRunRoot);  // Where nothing else needs them.
    rmdir("/run/cluster");
  }

  static ino_t Inode(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_ino;
  }

  Layout layout_;
  Definition definition_;
};

TEST_F(LocalParts, PinnedNamespacesAreNewAndStayTheSame) {
  const std::string net = layout_.NetNs("a");
  const std::string mnt = layout_.MountNs("a");
  ASSERT_OK(PinNewNetns(net));
  ASSERT_OK(PinNewMountns(mnt));
  EXPECT_NE(Inode(net), Inode("/proc/self/ns/net"));
  EXPECT_NE(Inode(mnt), Inode("/proc/self/ns/mnt"));
  const ino_t first = Inode(net);
  ASSERT_OK(PinNewNetns(net));
  EXPECT_EQ(Inode(net), first);
  ASSERT_OK(Unpin(net));
  EXPECT_FALSE(IsPinned(net));
  ASSERT_OK(Unpin(net));
}

TEST_F(LocalParts, NodesReachEachOtherOverTheHubUntilTheirLinkIsCut) {
  ASSERT_OK(MakeHub(layout_, definition_));
  for (const LocalNode& node : definition_.nodes) ASSERT_OK(ConnectNode(layout_, node));
  ASSERT_OK(ConnectNode(layout_, definition_.nodes[0]));

  // A connection to a port that nobody listens on is refused by the peer, and unanswered when cut.
  const auto reach = [&](const LocalNode& to) {
    return RunInNetns(layout_.NetNs("node1"),
                      {"busybox", "timeout", "2", "busybox", "nc", to.address, "9"})
        .value();
  };
  EXPECT_EQ(reach(definition_.nodes[1]), 1);
  ASSERT_OK(SetNodeLink(layout_, definition_.nodes[1], false));
  EXPECT_TRUE(IsPartitioned(layout_, definition_.nodes[1]).value());
  EXPECT_EQ(reach(definition_.nodes[1]), 143);
  ASSERT_OK(SetNodeLink(layout_, definition_.nodes[1], true));
  EXPECT_FALSE(IsPartitioned(layout_, definition_.nodes[1]).value());
  EXPECT_EQ(reach(definition_.nodes[1]), 1);

  ASSERT_OK(DisconnectNode(layout_, definition_.nodes[1]));
  ASSERT_OK(DisconnectNode(layout_, definition_.nodes[1]));
  UniqueFd ns = OpenAt(AT_FDCWD, layout_.NetNs("hub"), O_RDONLY).value();
  netlink::Socket hub = netlink::Socket::OpenInNetns(ns.get()).value();
  EXPECT_TRUE(absl::IsNotFound(netlink::FindLink(hub, "node2").status()));
  EXPECT_TRUE(netlink::FindLink(hub, "node1").ok());
}

TEST_F(LocalParts, NoRouteLeadsOutOfTheCluster) {
  ASSERT_OK(MakeHub(layout_, definition_));
  ASSERT_OK(ConnectNode(layout_, definition_.nodes[0]));
  for (const char* part : {"hub", "node1"}) {
    UniqueFd ns = OpenAt(AT_FDCWD, layout_.NetNs(part), O_RDONLY).value();
    netlink::Socket socket = netlink::Socket::OpenInNetns(ns.get()).value();
    const auto routes = netlink::ListRoutes(socket).value();
    EXPECT_THAT(routes, testing::Not(testing::IsEmpty()));
    for (const netlink::Route& route : routes) EXPECT_EQ(route.destination.prefix, 16) << part;
  }
}

TEST_F(LocalParts, ProgramIsFoundAgainByItsRecordAndEndedWithItsGroup) {
  LaunchSpec spec;
  spec.argv = {"/bin/busybox", "sleep", "1000"};
  spec.log_file = layout_.Run() + "/log";
  spec.pid_file = layout_.PidFile("node1");
  spec.cgroup = MakeAgentGroup(layout_.Cgroup("node1")).value();
  ASSERT_OK(Launch(spec));
  const int pid = FindRunning(spec.pid_file)->pid;
  EXPECT_THAT(ProcessesOf(layout_.Cgroup("node1")).value(), testing::ElementsAre(pid));
  ASSERT_OK(KillGroup(layout_.CgroupRoot()));
  EXPECT_FALSE(IsRunning(spec.pid_file));
  ASSERT_OK(RemoveGroup(layout_.CgroupRoot()));
  EXPECT_FALSE(std::filesystem::exists(spec.cgroup));
}

TEST_F(LocalParts, PidOfAnotherProcessIsNeverTakenForOurs) {
  const std::string record = layout_.PidFile("node1");
  ASSERT_OK(WriteFileDurably(record, absl::StrCat(getpid(), " 1\n")));
  EXPECT_FALSE(IsRunning(record));
  ASSERT_OK(End(record, SIGKILL, absl::Seconds(1)));  // We are still here.
}

TEST_F(LocalParts, ProgramThatCannotStartSaysWhy) {
  LaunchSpec spec;
  spec.argv = {"/no/such/program"};
  spec.log_file = layout_.Run() + "/log";
  spec.pid_file = layout_.PidFile("x");
  const absl::Status status = Launch(spec);
  EXPECT_EQ(status.message(), "start /no/such/program: ENOENT");
  EXPECT_FALSE(IsRunning(spec.pid_file));
}

}  // namespace
}  // namespace cluster::cli
