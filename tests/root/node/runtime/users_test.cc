// The pod's own user namespace: whose the processes and files are, on both sides of it.
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class UsersTest : public ::testing::Test {
 protected:
  // The node's id of the pod's root, from a running container's own map.
  uint32_t FirstIdOf(const ContainerState& state) const {
    const std::string map = ReadFile(absl::StrCat("/proc/", state.pid, "/uid_map")).value_or("");
    const std::vector<std::string> words = absl::StrSplit(map, ' ', absl::SkipWhitespace());
    uint32_t first_id = 0;
    EXPECT_EQ(words.size(), 3u) << map;
    if (words.size() == 3) {
      EXPECT_EQ(words[0], "0");
      EXPECT_EQ(absl::StripAsciiWhitespace(words[2]), "65536");
      EXPECT_TRUE(absl::SimpleAtoi(words[1], &first_id));
    }
    return first_id;
  }
  struct stat Stat(const std::string& path) const {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info;
  }
  std::string Upper(const std::string& uid, const std::string& path) const {
    return absl::StrCat(world_.base(), "/state/pods/", uid, "/containers/main/0/upper", path);
  }
  void ExpectExec(const std::string& uid, std::vector<std::string> argv,
                  const std::string& expected) {
    ExecSpec spec;
    spec.pod_uid = uid;
    spec.container = "main";
    spec.argv = std::move(argv);
    auto process = world_.runtime().Exec(spec);
    ASSERT_TRUE(process.ok()) << process.status();
    std::string text;
    char buffer[4096];
    ASSERT_EQ(fcntl((*process)->stdout_fd.get(), F_SETFL, 0), 0);
    for (ssize_t got; (got = read((*process)->stdout_fd.get(), buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<size_t>(got));
    }
    EXPECT_EQ((*process)->Wait().value_or(-1), 0);
    EXPECT_EQ(text, expected);
  }

  RuntimeWorld world_;
};

TEST_F(UsersTest, RootOfAPodIsNobodyOnTheNode) {
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn("pod-a", {"sh", "-c", "id -u; exec sleep 1000"});
  world_.AwaitLog("pod-a", "0\n");
  const uint32_t first_id = FirstIdOf(state);
  EXPECT_GE(first_id, 0x80000u);
  EXPECT_EQ(Stat(absl::StrCat("/proc/", state.pid)).st_uid, first_id);
  // Its keeper stays the node's root.
  const Census census = world_.TakeCensus();
  ASSERT_EQ(census.processes.size(), 1u);
  EXPECT_THAT(ReadFile("/proc/" + *census.processes.begin() + "/status").value(),
              HasSubstr("Uid:\t0\t0\t0\t0\n"));
}

TEST_F(UsersTest, AllNamespacesOfAContainerBelongToThePodsUserNamespace) {
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn("pod-a", {"sleep", "1000"});
  const std::string ns = absl::StrCat("/proc/", state.pid, "/ns/");
  const ino_t users = Stat(ns + "user").st_ino;
  EXPECT_NE(users, Stat("/proc/self/ns/user").st_ino);
  for (const char* name : {"mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    const UniqueFd fd(open((ns + name).c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd owner(ioctl(fd.get(), NS_GET_USERNS));
    ASSERT_TRUE(owner.valid()) << name;
    struct stat info {};
    ASSERT_EQ(fstat(owner.get(), &info), 0);
    EXPECT_EQ(info.st_ino, users) << name;
  }
}

TEST_F(UsersTest, FilesOfTheImageAreTheContainersWithoutBeingTouched) {
  WriteTestFile(world_.layer() + "/data/of-root", "r\n", 0600);
  WriteTestFile(world_.layer() + "/data/of-app", "a\n", 0600);
  ASSERT_EQ(chown((world_.layer() + "/data/of-app").c_str(), 1000, 1000), 0);
  const struct stat before = Stat(world_.layer() + "/data/of-root");
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn(
      "pod-a", {"sh", "-c",
                "stat -c '%u %g %n' /data/of-root /data/of-app /bin / && cat /data/of-root && "
                "echo x >> /data/of-root && touch /new && chmod 4711 /new && "
                "stat -c '%u %a' /new && echo done; exec sleep 1000"});
  world_.AwaitLog("pod-a", "done\n");
  EXPECT_EQ(world_.Log("pod-a"),
            "0 0 /data/of-root\n1000 1000 /data/of-app\n0 0 /bin\n0 0 /\nr\n0 4711\ndone\n");
  const struct stat after = Stat(world_.layer() + "/data/of-root");
  EXPECT_EQ(after.st_uid, 0u);
  EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
  const uint32_t first_id = FirstIdOf(state);
  EXPECT_EQ(Stat(Upper("pod-a", "/new")).st_uid, first_id);
  EXPECT_EQ(Stat(Upper("pod-a", "/data/of-root")).st_uid, first_id) << "copied up";
}

TEST_F(UsersTest, WhatEveryContainerNeedsWorks) {
  const auto outcome = world_.Run(
      "pod-a",
      {"sh", "-c",
       "echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c && "
       "echo y > /dev/shm/y && cat /dev/shm/y && ls /dev/pts/ptmx && cat /etc/hostname && "
       "grep -c . /etc/hosts && echo '10.9.9.9 added' >> /etc/hosts && tail -n 1 /etc/hosts && "
       "stat -c '%u %A' /dev/null /dev/shm /proc/1 /etc/resolv.conf && "
       "cat /proc/sys/net/ipv4/ip_unprivileged_port_start && echo out > /dev/stdout && "
       "ls -d /dev/mqueue && hostname"});
  EXPECT_EQ(outcome.state.exit_code, 0);
  EXPECT_THAT(outcome.log,
              HasSubstr("3\n4\ny\n/dev/pts/ptmx\nhost-of-pod-a\n4\n10.9.9.9 added\n"
                        "0 crw-rw-rw-\n0 drwxrwxrwt\n0 dr-xr-xr-x\n0 -rw-r--r--\n0\nout\n"
                        "/dev/mqueue\nhost-of-pod-a\n"));
}

TEST_F(UsersTest, KeepersComplainAboutNothing) {
  world_.Prepare("pod-a");
  EXPECT_EQ(ReadFile(world_.base() + "/run/pods/pod-a/init.log").value_or("?"), "");
}

TEST_F(UsersTest, AnotherUserWritesToItsOutputAndItsHome) {
  ContainerSpec spec = world_.Spec(
      "pod-a", {"sh", "-c", "id -u; id -g; id -G; echo a > /dev/stdout; echo b > /dev/stderr"});
  spec.user = "app";
  const auto outcome = world_.RunSpec(spec);
  EXPECT_THAT(outcome.log, HasSubstr("1000\n1000\n1000 10 29\n"));
  EXPECT_THAT(outcome.log, HasSubstr("a\n"));
  EXPECT_THAT(outcome.log, HasSubstr("b\n"));
}

TEST_F(UsersTest, RangesAreDisjointRememberedAndNotReusedAtOnce) {
  std::set<uint32_t> seen;
  std::map<std::string, uint32_t> of;
  for (const char* uid : {"pod-a", "pod-b", "pod-c"}) {
    world_.Prepare(uid);
    of[uid] = FirstIdOf(world_.StartIn(uid, {"sleep", "1000"}));
    EXPECT_EQ(of[uid] % 65536, 0u);
    EXPECT_TRUE(seen.insert(of[uid]).second) << uid;
  }
  world_.StartAgent();
  // The new agent knows what is held.
  for (const char* uid : {"pod-d", "pod-e", "pod-f"}) {
    world_.Prepare(uid);
    EXPECT_TRUE(seen.insert(FirstIdOf(world_.StartIn(uid, {"sleep", "1000"}))).second) << uid;
  }
  ASSERT_TRUE(world_.runtime().Remove("pod-a").ok());
  world_.Prepare("pod-g");
  EXPECT_TRUE(seen.insert(FirstIdOf(world_.StartIn("pod-g", {"sleep", "1000"}))).second);
  // Started again, a container keeps the ids of its pod.
  ASSERT_TRUE(world_.runtime().Kill({"pod-b", "main", 0}).ok());
  world_.Await("pod-b");
  ContainerSpec again = world_.Spec("pod-b", {"sleep", "1000"});
  again.attempt = 1;
  EXPECT_EQ(FirstIdOf(world_.Start(again)), of["pod-b"]);
}

TEST_F(UsersTest, CommandsRunAsThePodsUsers) {
  world_.Prepare("pod-a");
  ContainerSpec spec = world_.Spec("pod-a", {"sleep", "1000"});
  spec.user = "app";
  world_.Start(spec);
  const struct stat null = Stat("/dev/null");
  ExpectExec("pod-a", {"sh", "-c", "id -u; echo to > /dev/stdout; ls /proc/self/fd/0"},
             "1000\nto\n/proc/self/fd/0\n");
  EXPECT_EQ(Stat("/dev/null").st_uid, null.st_uid) << "the node's own device went to a container";
}

TEST_F(UsersTest, HostUsersOptsOut) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.host_users = true;
  world_.Prepare(sandbox);
  const ContainerState state = world_.StartIn("pod-a", {"sh", "-c", "touch /new; exec sleep 1000"});
  EXPECT_EQ(Stat(absl::StrCat("/proc/", state.pid)).st_uid, 0u);
  EXPECT_EQ(Stat(absl::StrCat("/proc/", state.pid, "/ns/user")).st_ino,
            Stat("/proc/self/ns/user").st_ino);
  EXPECT_FALSE(fs::exists(fs::symlink_status(world_.base() + "/state/pods/pod-a/ids")));
}

TEST_F(UsersTest, ANamespaceOfTheNodeNeedsItsUsers) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.host_pid = true;
  EXPECT_EQ(world_.runtime().PrepareSandbox(sandbox).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// A start is no copy and no chown: its cost does not depend on how much is in the image.
TEST_F(UsersTest, AStartWritesNothingOfTheImage) {
  for (int i = 0; i < 2000; ++i) {
    WriteTestFile(absl::StrCat(world_.layer(), "/many/", i), std::string(100, 'x'));
  }
  const auto outcome = world_.Run("pod-a", {"sh", "-c", "ls /many | wc -l"});
  EXPECT_EQ(outcome.log, "2000\n");
  EXPECT_FALSE(fs::exists(Upper("pod-a", "/many")));
}

}  // namespace
}  // namespace cluster::node
