#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "base/file.h"
#include "tests/root/node/oci/oci_world.h"

namespace cluster::oci {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

// Takes terminals at a unix socket, as conmon and containerd's shim do.
class ConsoleSocket {
 public:
  explicit ConsoleSocket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    socket_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(socket_.get(), 1), 0);
  }

  UniqueFd Take() {
    const UniqueFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char name[64];
    iovec data{name, sizeof name};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    EXPECT_GT(recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC), 0);
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    int fd = -1;
    if (header != nullptr) std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return UniqueFd(fd);
  }

 private:
  UniqueFd socket_;
};

// Everything until the last process of the terminal is gone.
std::string ReadTerminal(int master) {
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read(master, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

class OciExec : public OciWorld {
 protected:
  void StartSleeping() {
    SetCommand("sleep 1000");
    Start();
  }
};

TEST_F(OciExec, RunsInsideWithItsOwnExitCode) {
  StartSleeping();
  const Outcome outcome = Exec("echo in; cat; echo err >&2; exit 5");
  EXPECT_EQ(outcome.code, 5);
  EXPECT_EQ(outcome.out, "in\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_EQ(Exec("kill -TERM $$").code, 128 + SIGTERM);
}

TEST_F(OciExec, SharesEveryNamespaceAndCgroup) {
  StartSleeping();
  const std::string own = Exec(absl::StrCat("for n in mnt pid net ipc uts cgroup user; do readlink "
                                            "/proc/self/ns/$n; done"))
                              .out;
  EXPECT_EQ(own,
            Exec("for n in mnt pid net ipc uts cgroup user; do readlink /proc/1/ns/$n; done").out);
  EXPECT_EQ(Exec("cat /proc/self/cgroup").out, Exec("cat /proc/1/cgroup").out);
}

TEST_F(OciExec, HasTheContainersUserEnvironmentAndLimits) {
  config["process"]["user"] = {{"uid", 1000}, {"gid", 1000}, {"additionalGids", {7}}};
  config["process"]["env"] = {"PATH=/bin", "A=1"};
  config["process"]["cwd"] = "/tmp";
  StartSleeping();
  EXPECT_EQ(Exec("id; pwd; echo $A $HOME").out,
            "uid=1000(app) gid=1000(app) groups=7\n/tmp\n1 /home/app\n");
  EXPECT_EQ(Exec("id -u; id -g; echo $A$B; pwd", {"-u", "0:5", "-e", "B=2", "--cwd", "/"}).out,
            "0\n5\n12\n/\n");
}

TEST_F(OciExec, TakesAProcessAsJson) {
  StartSleeping();
  node::WriteTestFile(base() + "/process.json",
                      R"({"args": ["sh", "-c", "id -u; grep CapEff /proc/self/status"], "cwd": "/",
                          "env": ["PATH=/bin"], "user": {"uid": 12, "gid": 0}})");
  const Outcome outcome = Call({"exec", "--process", base() + "/process.json", "c"});
  EXPECT_EQ(outcome.out, "12\nCapEff:\t0000000000000000\n") << outcome.err;
}

TEST_F(OciExec, WhatCannotRunSaysWhy) {
  StartSleeping();
  EXPECT_THAT(Call({"exec", "c", "missing"}).err, HasSubstr("executable file not found in $PATH"));
  EXPECT_EQ(Call({"exec", "c", "missing"}).code, 255);
  EXPECT_EQ(Call({"exec", "c"}).code, 255);
  EXPECT_THAT(Call({"exec", "--user", "root", "c", "id"}).err, HasSubstr("must be a number"));
  EXPECT_THAT(Call({"exec", "nobody", "id"}).err, HasSubstr("does not exist"));
}

// As a shell's <(...) is: beyond the descriptors that are handed on.
TEST_F(OciExec, AProcessCanComeThroughADescriptor) {
  SetCommand("sleep 1000");
  Start();
  node::WriteTestFile(base() + "/process.json",
                      R"({"cwd": "/tmp", "args": ["pwd"], "env": ["PATH=/bin"]})");
  const UniqueFd file(open((base() + "/process.json").c_str(), O_RDONLY));
  ASSERT_EQ(dup2(file.get(), 63), 63);
  const Outcome outcome = Call({"exec", "--process", "/proc/self/fd/63", "c"});
  close(63);
  EXPECT_EQ(outcome.out, "/tmp\n") << outcome.err;
}

TEST_F(OciExec, CgroupsAboveTheContainersAreRefused) {
  SetCommand("sleep 1000");
  Start();
  EXPECT_THAT(Call({"exec", "--cgroup", "a/..", "c", "true"}).err,
              HasSubstr("a/.. is not a sub cgroup path"));
}

TEST_F(OciExec, ACgroupBelowTheContainersForOneController) {
  StartSleeping();
  const auto call = [this](std::vector<std::string> flags) {
    flags.insert(flags.begin(), "exec");
    for (const char* word : {"c", "grep", "-E", ":(memory|pids):", "/proc/self/cgroup"}) {
      flags.emplace_back(word);
    }
    return Call(flags);
  };
  if (IsPureV2()) {
    EXPECT_THAT(call({"--cgroup", "memory:sub"}).err,
                HasSubstr("no cgroup v1 hierarchy holds memory"));
    return;
  }
  EXPECT_THAT(call({"--cgroup", "memory:sub"}).err, HasSubstr("no such cgroup"));
  ASSERT_EQ(mkdir((GroupDirectory("memory") + "/sub").c_str(), 0755), 0);
  EXPECT_THAT(call({}).out, AllOf(HasSubstr(":memory:/\n"), HasSubstr(":pids:/\n")));
  EXPECT_THAT(call({"--cgroup", "memory:sub"}).out,
              AllOf(HasSubstr(":memory:/sub\n"), HasSubstr(":pids:/\n")));
  EXPECT_THAT(call({"--cgroup", "sub"}).err, HasSubstr("of the v1 hierarchies"))
      << "it would be in none of the others";
  EXPECT_THAT(call({"--cgroup", "memory:sub", "--cgroup", "sub"}).err,
              HasSubstr("needs a CONTROLLER:"));
  EXPECT_THAT(call({"--cgroup", "memory:sub", "--cgroup", "pids,memory:sub"}).err,
              HasSubstr("memory has a path already"));
}

TEST_F(OciExec, DetachedReturnsAtOnceAndWritesItsPid) {
  StartSleeping();
  const Outcome outcome = CallToFiles({"exec", "-d", "--pid-file", base() + "/pid", "c", "sh", "-c",
                                       "echo up > /tmp/up; exec sleep 1000"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(AwaitFile(rootfs() + "/tmp/up"), "up\n");
  const Json pids = Json::parse(Call({"ps", "--format", "json", "c"}).out);
  EXPECT_THAT(pids, ::testing::Contains(Json(std::stoi(ReadFile(base() + "/pid").value()))));
}

TEST_F(OciExec, TerminalsGoToTheConsoleSocket) {
  StartSleeping();
  ConsoleSocket socket(base() + "/console");
  const Outcome outcome =
      CallToFiles({"exec", "-d", "-t", "--console-socket", base() + "/console", "c", "sh", "-c",
                   "stty -echo; tty; ls -1 /dev/pts; read go; stty size"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const UniqueFd master = socket.Take();
  // Whoever took it can size it, and write.
  const winsize size{33, 111, 0, 0};
  ASSERT_EQ(ioctl(master.get(), TIOCSWINSZ, &size), 0);
  ASSERT_TRUE(WriteAll(master.get(), "\n").ok());
  EXPECT_THAT(ReadTerminal(master.get()),
              AllOf(HasSubstr("/dev/pts/0\r\n0\r\nptmx\r\n"), EndsWith("33 111\r\n")));
}

TEST_F(OciExec, TheContainersOwnTerminalIsItsConsole) {
  config["process"]["terminal"] = true;
  config["process"]["consoleSize"] = {{"height", 24}, {"width", 132}};
  SetCommand("stty size; test /dev/console -ef /dev/pts/0 && echo same; sleep 0");
  ConsoleSocket socket(base() + "/console");
  const Outcome created = Create({"--console-socket", base() + "/console"});
  ASSERT_EQ(created.code, 0) << created.err;
  const UniqueFd master = socket.Take();
  ASSERT_EQ(Call({"start", "c"}).code, 0);
  EXPECT_EQ(ReadTerminal(master.get()), "24 132\r\nsame\r\n");
}

// containerd's shim reads both to their end before it goes on.
TEST_F(OciExec, ACreatedContainerWithATerminalHoldsNoOutputOfItsCaller) {
  config["process"]["terminal"] = true;
  SetCommand("echo started");
  WriteConfig();
  ConsoleSocket socket(base() + "/console");
  const Outcome created =
      Call({"create", "--bundle", bundle(), "--console-socket", base() + "/console", "c"});
  ASSERT_EQ(created.code, 0) << created.err;
  EXPECT_EQ(StatusOf(), "created");
  const UniqueFd master = socket.Take();
  ASSERT_EQ(Call({"start", "c"}).code, 0);
  EXPECT_EQ(ReadTerminal(master.get()), "started\r\n");
}

TEST_F(OciExec, ATerminalWithoutAPlaceToGoIsRefused) {
  config["process"]["terminal"] = true;
  SetCommand("true");
  EXPECT_THAT(Create().err, HasSubstr("process.terminal needs --console-socket"));
  config["process"]["terminal"] = false;
  EXPECT_THAT(Create({"--console-socket", base() + "/x"}).err,
              HasSubstr("is for process.terminal"));
}

TEST_F(OciExec, InTheForegroundATerminalIsServed) {
  config["process"]["terminal"] = true;
  SetCommand("tty; read line; echo got $line");
  WriteConfig();
  const Outcome outcome = Call({"run", "--bundle", bundle(), "c"}, "word\n");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("got word\r\n"));
}

TEST_F(OciExec, UpdateChangesWhatTheContainerMayUse) {
  StartSleeping();
  EXPECT_EQ(Call({"update", "--memory", "64m", "--pids-limit", "9", "c"}).code, 0);
  const auto limit = [this] { return ReadGroup("memory", "memory.limit_in_bytes", "memory.max"); };
  EXPECT_EQ(limit(), "67108864\n");
  EXPECT_EQ(ReadGroup("pids", "pids.max", "pids.max"), "9\n");
  // Both raised and both lowered: the kernel wants them in different orders.
  EXPECT_EQ(Call({"update", "--resources", "-", "c"},
                 R"({"memory": {"limit": 134217728, "swap": 134217728}})")
                .code,
            0);
  EXPECT_EQ(Call({"update", "--resources", "-", "c"},
                 R"({"memory": {"limit": 33554432, "swap": 67108864}})")
                .code,
            0);
  EXPECT_EQ(limit(), "33554432\n");
  EXPECT_EQ(Call({"update", "--memory", "lots", "c"}).code, 1);
}

TEST_F(OciExec, EventsGiveStatistics) {
  StartSleeping();
  const Outcome outcome = Call({"events", "--stats", "c"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json event = Json::parse(outcome.out);
  EXPECT_EQ(event["type"], "stats");
  EXPECT_EQ(event["id"], "c");
  EXPECT_GT(event["data"]["memory"]["usage"]["usage"].get<int64_t>(), 0);
  EXPECT_GE(event["data"]["pids"]["current"].get<int64_t>(), 1);
  EXPECT_GT(event["data"]["cpu"]["usage"]["total"].get<int64_t>(), 0);
}

TEST_F(OciExec, FeaturesAreJson) {
  const Json features = Json::parse(Call({"features"}).out);
  EXPECT_EQ(features["hooks"].size(), 6u);
  EXPECT_THAT(features["linux"]["namespaces"], ::testing::Contains(Json("time")));
}

}  // namespace
}  // namespace cluster::oci
