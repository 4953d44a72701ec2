// Commands run in a container that is there already.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

// Everything until the other side closes (a pty says EIO then).
std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, 30000) != 1) {
      ADD_FAILURE() << "no end of output after: " << text;
      return text;
    }
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

class ExecTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.Prepare("pod-a");
    ContainerSpec spec = world_.Spec("pod-a", {"sh", "-c", "echo up; sleep 1000"});
    spec.env = {"PATH=/bin", "COLOUR=blue"};
    spec.user = "app";
    spec.working_dir = "/tmp";
    world_.Start(spec);
    world_.AwaitLog("pod-a", "up");
  }
  ExecSpec Spec(const std::string& script) {
    ExecSpec spec;
    spec.pod_uid = "pod-a";
    spec.container = "main";
    spec.argv = {"sh", "-c", script};
    return spec;
  }
  std::unique_ptr<ExecProcess> Exec(const ExecSpec& spec) {
    auto process = world_.runtime().Exec(spec);
    EXPECT_TRUE(process.ok()) << process.status();
    return process.ok() ? *std::move(process) : nullptr;
  }
  RuntimeWorld world_;
};

TEST_F(ExecTest, PassesOutputAndExitCode) {
  auto process = Exec(Spec("echo out; echo err >&2; exit 9"));
  ASSERT_NE(process, nullptr);
  EXPECT_EQ(ReadAll(process->stdout_fd.get()), "out\n");
  EXPECT_EQ(ReadAll(process->stderr_fd.get()), "err\n");
  EXPECT_EQ(process->Wait().value_or(-1), 9);
}

TEST_F(ExecTest, IsInTheContainerInEveryRespect) {
  auto process =
      Exec(Spec("pwd; echo $COLOUR; id -u; hostname; cat /proc/1/cgroup | md5sum; cat "
                "/proc/self/cgroup | md5sum;"
                "for n in mnt pid net ipc uts cgroup; do [ \"$(readlink /proc/1/ns/$n)\" = "
                "\"$(readlink /proc/self/ns/$n)\" ]"
                " || echo other $n; done; grep -E 'CapEff|NoNew' /proc/self/status; ls -1 "
                "/proc/self/fd | wc -l"));
  ASSERT_NE(process, nullptr);
  const std::string text = ReadAll(process->stdout_fd.get());
  EXPECT_THAT(text, HasSubstr("/tmp\nblue\n1000\nhost-of-pod-a\n"));
  EXPECT_THAT(text, HasSubstr("CapEff:\t0000000000000000\nNoNewPrivs:\t1\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("other")));
  EXPECT_EQ(process->Wait().value_or(-1), 0);
}

TEST_F(ExecTest, ReadsStandardInput) {
  ExecSpec spec = Spec("cat; echo done");
  spec.stdin = true;
  auto process = Exec(spec);
  ASSERT_NE(process, nullptr);
  ASSERT_TRUE(WriteAll(process->stdin_fd.get(), "typed\n").ok());
  process->stdin_fd.reset();
  EXPECT_EQ(ReadAll(process->stdout_fd.get()), "typed\ndone\n");
  EXPECT_EQ(process->Wait().value_or(-1), 0);
  // Without stdin there is an empty one.
  auto empty = Exec(Spec("cat; echo done"));
  ASSERT_NE(empty, nullptr);
  EXPECT_EQ(ReadAll(empty->stdout_fd.get()), "done\n");
}

TEST_F(ExecTest, GivesATerminalOfTheContainersOwn) {
  ExecSpec spec =
      Spec("stty size; read line; echo got $line; stty size; [ -t 0 ] && echo terminal");
  spec.tty = true;
  spec.stdin = true;
  spec.size = {24, 80};
  auto process = Exec(spec);
  ASSERT_NE(process, nullptr);
  ASSERT_TRUE(process->Resize({50, 132}).ok());
  ASSERT_TRUE(WriteAll(process->stdout_fd.get(), "word\n").ok());
  const std::string text = ReadAll(process->stdout_fd.get());
  EXPECT_THAT(text, HasSubstr("got word\r\n"));
  EXPECT_THAT(text, HasSubstr("50 132\r\n"));
  EXPECT_THAT(text, HasSubstr("terminal\r\n"));
  EXPECT_EQ(process->Wait().value_or(-1), 0);
}

TEST_F(ExecTest, SaysThatACommandIsMissing) {
  ExecSpec spec = Spec("");
  spec.argv = {"no-such-command"};
  auto process = world_.runtime().Exec(spec);
  EXPECT_FALSE(process.ok());
  EXPECT_THAT(std::string(process.status().message()), HasSubstr("no-such-command"));
  spec.container = "other";
  EXPECT_EQ(world_.runtime().Exec(spec).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ExecTest, EndsWhenKilledAndWhenNobodyListensAnyMore) {
  auto process = Exec(Spec("sleep 1000 & sleep 1000"));
  ASSERT_NE(process, nullptr);
  process->Kill();
  EXPECT_EQ(process->Wait().value_or(-1), 137);
  EXPECT_EQ(ReadAll(process->stdout_fd.get()), "") << "what it started went too";

  auto dropped = Exec(Spec("sleep 1000"));
  ASSERT_NE(dropped, nullptr);
  const UniqueFd output = std::move(dropped->stdout_fd);
  dropped.reset();
  EXPECT_EQ(ReadAll(output.get()), "") << "the pipe closes with the command";
}

TEST_F(ExecTest, EndsWithTheContainer) {
  auto process = Exec(Spec("sleep 1000"));
  ASSERT_NE(process, nullptr);
  ASSERT_TRUE(world_.runtime().Kill({"pod-a", "main", 0}).ok());
  EXPECT_EQ(process->Wait().value_or(-1), 137);
}

}  // namespace
}  // namespace cluster::node
