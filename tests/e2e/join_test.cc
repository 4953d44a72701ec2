// An agent on another machine: two network namespaces that share nothing but a cable, a controller
// in one and `cluster-node --controller HOST:PORT --name N` in the other.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "cli/local/groups.h"
#include "cli/local/namespaces.h"
#include "cli/local/process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "base/netlink_route.h"
#include "tests/e2e/docker_archive.h"
#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"

namespace cluster::e2e {
namespace {

using ::testing::HasSubstr;

void ExpectOk(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }

class JoinE2e : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0u) << "run as root";
    directory_ = absl::StrCat("/tmp/cluster-join-", getpid());
    group_ = absl::StrCat("/cluster-join-", getpid());
    ExpectOk(MakeDirectories(directory_));
    ExpectOk(cli::MakePinDirectory(directory_ + "/ns"));
    for (const char* machine : {"left", "right"}) {
      ExpectOk(cli::PinNewNetns(Net(machine)));
      ExpectOk(cli::PinNewMountns(absl::StrCat(directory_, "/ns/", machine, ".mnt")));
    }
    Cable();
  }
  void TearDown() override {
    if (HasFailure()) {
      for (const char* part : {"controller", "agent"}) {
        std::cerr << "---- " << part << "\n"
                  << ReadFile(absl::StrCat(directory_, "/", part, ".log")).value_or("");
      }
    }
    ExpectOk(cli::KillGroup(group_));
    ExpectOk(cli::RemoveGroup(group_));
    std::error_code error;
    for (const auto& pin : std::filesystem::directory_iterator(directory_ + "/ns", error)) {
      ExpectOk(cli::Unpin(pin.path().string()));
    }
    ExpectOk(cli::RemovePinDirectory(directory_ + "/ns"));
    std::filesystem::remove_all(directory_);
  }

  std::string Net(const std::string& machine) const {
    return directory_ + "/ns/" + machine + ".net";
  }

  // 10.99.0.1 on the left, 10.99.0.2 on the right.
  void Cable() {
    UniqueFd left = OpenAt(AT_FDCWD, Net("left"), O_RDONLY).value();
    UniqueFd right = OpenAt(AT_FDCWD, Net("right"), O_RDONLY).value();
    netlink::Socket here = netlink::Socket::OpenInNetns(left.get()).value();
    netlink::Socket there = netlink::Socket::OpenInNetns(right.get()).value();
    ExpectOk(here.Execute(
        netlink::CreateVeth({.name = "eth0", .peer_name = "eth0", .peer_netns_fd = right.get()})));
    uint32_t host = 1;
    for (netlink::Socket* socket : {&here, &there}) {
      ExpectOk(socket->Execute(
          {netlink::ChangeLink("lo", {.up = true}), netlink::ChangeLink("eth0", {.up = true})}));
      const int link = netlink::FindLink(*socket, "eth0").value().index;
      ExpectOk(socket->Execute(netlink::AddAddress({link, {Ipv4{0x0a630000 + host++}, 24}})));
    }
  }

  void Start(const std::string& part, const std::string& machine, std::vector<std::string> argv) {
    cli::LaunchSpec spec;
    argv[0] = absl::StrCat(std::getenv("CLUSTER_BIN_DIR"), "/", argv[0]);
    spec.argv = std::move(argv);
    spec.log_file = absl::StrCat(directory_, "/", part, ".log");
    spec.pid_file = absl::StrCat(directory_, "/", part, ".pid");
    spec.net_ns = Net(machine);
    spec.mount_ns = absl::StrCat(directory_, "/ns/", machine, ".mnt");
    spec.cgroup = cli::MakeAgentGroup(absl::StrCat(group_, "/", machine)).value();
    ExpectOk(cli::Launch(spec));
  }

  Outcome Clusterctl(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(),
                     {absl::StrCat(std::getenv("CLUSTER_BIN_DIR"), "/clusterctl"), "--server",
                      "unix:" + directory_ + "/api.sock"});
    return RunProgram(arguments, input);
  }

  std::string directory_;
  std::string group_;
};

TEST_F(JoinE2e, AgentOnAnotherMachineJoinsOverTcpAndRunsPods) {
  Start("controller", "left",
        {"cluster-controller", "--state-dir", directory_ + "/controller", "--socket",
         directory_ + "/api.sock", "--listen", "10.99.0.1:7443"});
  Start("agent", "right",
        {"cluster-node", "--controller", "10.99.0.1:7443", "--name", "far", "--address",
         "10.99.0.2", "--state-dir", directory_ + "/far", "--run-dir", directory_ + "/far-run",
         "--cgroup-parent", group_ + "/right"});
  ASSERT_TRUE(Eventually([&] {
    return Clusterctl({"wait", "node/far", "--for=condition=Ready", "--timeout", "5s"}).exit_code ==
           0;
  }));
  EXPECT_THAT(ReadFile(directory_ + "/controller.log").value(), HasSubstr("open"));

  EXPECT_THAT(Clusterctl({"get", "nodes", "-o", "wide"}).out, HasSubstr("10.99.0.2"));
  const std::string archive = directory_ + "/busybox.tar";
  WriteDockerArchive(archive, "busybox:1", BusyboxFiles());
  const Outcome loaded = Clusterctl({"image", "load", archive});
  ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
  const Outcome applied = Clusterctl({"apply", "-f", "-", "--wait", "--timeout", "60s"},
                                     PodText{.name = "there"}.Yaml());
  ASSERT_EQ(applied.exit_code, 0) << applied.err;
  EXPECT_EQ(Clusterctl({"exec", "there", "--", "hostname"}).out, "there\n");
}

TEST_F(JoinE2e, ControllerDoesNotListenOnTcpUnlessTold) {
  Start("controller", "left",
        {"cluster-controller", "--state-dir", directory_ + "/controller", "--socket",
         directory_ + "/api.sock"});
  ASSERT_TRUE(Eventually([&] { return Clusterctl({"version"}).exit_code == 0; }));
  // /proc/net/tcp of the controller's namespace: state 0A is LISTEN.
  const std::string pid = ReadFile(directory_ + "/controller.pid").value();
  const std::string tcp =
      ReadFile(absl::StrCat("/proc/", pid.substr(0, pid.find(' ')), "/net/tcp")).value();
  EXPECT_EQ(tcp.find(" 0A "), std::string::npos) << tcp;
}

}  // namespace
}  // namespace cluster::e2e
