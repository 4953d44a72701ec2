// Joining a container that runs: what it writes, what it reads, its terminal.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

// Reads until the text holds `wanted`, or to the end of it where that is empty.
std::string ReadUntil(int fd, const std::string& wanted) {
  std::string text;
  char buffer[4096];
  while (wanted.empty() || !absl::StrContains(text, wanted)) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, 30000) != 1) {
      ADD_FAILURE() << "'" << wanted << "' does not come after: " << text;
      return text;
    }
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

class AttachTest : public ::testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    world_.Prepare("pod-a");
  }
  ContainerSpec Spec(const std::string& script) {
    ContainerSpec spec = world_.Spec("pod-a", {"sh", "-c", script});
    spec.stdin = true;
    return spec;
  }
  std::unique_ptr<ExecProcess> Attach(bool stdin, TerminalSize size = {}) {
    AttachSpec spec;
    spec.pod_uid = "pod-a";
    spec.container = "main";
    spec.stdin = stdin;
    spec.size = size;
    auto process = world_.runtime().Attach(spec);
    EXPECT_TRUE(process.ok()) << process.status();
    return process.ok() ? *std::move(process) : nullptr;
  }
  RuntimeWorld world_;
};

TEST_F(AttachTest, SeesOutputWritesInputAndHearsOfTheEnd) {
  world_.Start(Spec("while read word; do echo got $word; echo err $word >&2; done; exit 7"));
  auto first = Attach(true);
  auto second = Attach(true);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  ASSERT_TRUE(WriteAll(first->stdin_fd.get(), "one\n").ok());
  EXPECT_EQ(ReadUntil(first->stdout_fd.get(), "\n"), "got one\n");
  EXPECT_EQ(ReadUntil(second->stdout_fd.get(), "\n"), "got one\n");
  ASSERT_TRUE(WriteAll(second->stdin_fd.get(), "two\n").ok());
  EXPECT_EQ(ReadUntil(first->stdout_fd.get(), "\n"), "got two\n");
  EXPECT_EQ(ReadUntil(first->stderr_fd.get(), "two\n"), "err one\nerr two\n");

  // Detached, it runs on; so does the other.
  first.reset();
  ASSERT_TRUE(WriteAll(second->stdin_fd.get(), "three\n").ok());
  EXPECT_EQ(ReadUntil(second->stdout_fd.get(), "three\n"), "got two\ngot three\n");
  // What stays open for the next one does not end with this one.
  second->stdin_fd.reset();
  auto third = Attach(true);
  ASSERT_NE(third, nullptr);
  ASSERT_TRUE(WriteAll(third->stdin_fd.get(), "four\n").ok());
  EXPECT_EQ(ReadUntil(third->stdout_fd.get(), "\n"), "got four\n");
  EXPECT_THAT(ReadUntil(third->stderr_fd.get(), "four\n"), HasSubstr("err four\n"));

  ASSERT_TRUE(world_.runtime().Kill({"pod-a", "main", 0}).ok());
  EXPECT_EQ(third->Wait().value_or(-1), 137);
  EXPECT_EQ(ReadUntil(second->stdout_fd.get(), ""), "got four\n");
  EXPECT_EQ(second->Wait().value_or(-1), 137);
  EXPECT_THAT(world_.Log("pod-a"), HasSubstr("got one\n"));
  EXPECT_THAT(world_.Log("pod-a"), HasSubstr("err four\n"));
}

TEST_F(AttachTest, StdinOnceEndsWithTheFirstWhoAttached) {
  ContainerSpec spec = Spec("echo early; echo late >&2; cat; echo at the end; exit 3");
  spec.stdin_once = true;
  world_.Start(spec);
  world_.AwaitLog("pod-a", "late");
  auto process = Attach(true);
  ASSERT_NE(process, nullptr);
  // It missed nothing, though it came late.
  EXPECT_EQ(ReadUntil(process->stdout_fd.get(), "\n"), "early\n");
  EXPECT_EQ(ReadUntil(process->stderr_fd.get(), "\n"), "late\n");
  ASSERT_TRUE(WriteAll(process->stdin_fd.get(), "typed").ok());
  process->stdin_fd.reset();  // and goes on reading
  EXPECT_EQ(ReadUntil(process->stdout_fd.get(), ""), "typedat the end\n");
  EXPECT_EQ(process->Wait().value_or(-1), 3);
  EXPECT_EQ(world_.Await("pod-a").exit_code, 3);
}

TEST_F(AttachTest, StdinOnceEndsAlsoWhenTheFirstOneIsGone) {
  ContainerSpec spec = Spec("cat; echo at the end");
  spec.stdin_once = true;
  world_.Start(spec);
  Attach(true).reset();
  EXPECT_EQ(world_.Await("pod-a").exit_code, 0);
  EXPECT_EQ(world_.Log("pod-a"), "at the end\n");
}

TEST_F(AttachTest, ShowsThePromptThatStandsThere) {
  world_.Start(Spec("echo before; printf 'name? '; read name; echo hello $name"));
  world_.AwaitLog("pod-a", "before");
  auto process = Attach(true);
  ASSERT_NE(process, nullptr);
  EXPECT_THAT(ReadUntil(process->stdout_fd.get(), "name? "), HasSubstr("name? "));
  ASSERT_TRUE(WriteAll(process->stdin_fd.get(), "ann\n").ok());
  EXPECT_EQ(ReadUntil(process->stdout_fd.get(), ""), "hello ann\n");
}

TEST_F(AttachTest, HasATerminalThatTakesItsSize) {
  ContainerSpec spec = Spec(
      "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal; tty; read word; stty size; "
      "echo got $word; exit 4");
  spec.tty = true;
  spec.user = "app";
  world_.Start(spec);
  auto process = Attach(true, {50, 132});
  ASSERT_NE(process, nullptr);
  EXPECT_FALSE(process->stdin_fd.get() == process->stdout_fd.get());
  ASSERT_TRUE(process->Resize({24, 80}).ok());
  ASSERT_TRUE(WriteAll(process->stdin_fd.get(), "word\n").ok());
  const std::string text = ReadUntil(process->stdout_fd.get(), "");
  EXPECT_THAT(text, HasSubstr("24 80\r\ngot word\r\n"));
  EXPECT_EQ(process->Wait().value_or(-1), 4);
  EXPECT_THAT(world_.Log("pod-a"), HasSubstr("terminal\r\n"));
  EXPECT_THAT(world_.Log("pod-a"), HasSubstr("/dev/pts/0\r\n"));
}

// However much cluster-init finds when it comes to look.
TEST_F(AttachTest, WhatIsTypedAfterANewSizeMeetsIt) {
  ContainerSpec spec = Spec("read word; stty size");
  spec.tty = true;
  world_.Start(spec);
  auto process = Attach(true);
  ASSERT_NE(process, nullptr);
  const pid_t init = world_.InitOf("pod-a");
  ASSERT_EQ(kill(init, SIGSTOP), 0);
  for (uint16_t columns = 1; columns <= 150; ++columns) {
    ASSERT_TRUE(process->Resize({24, columns}).ok());
  }
  ASSERT_TRUE(WriteAll(process->stdin_fd.get(), "word\n").ok());
  ASSERT_EQ(kill(init, SIGCONT), 0);
  EXPECT_EQ(ReadUntil(process->stdout_fd.get(), ""), "word\r\n24 150\r\n");
  EXPECT_EQ(process->Wait().value_or(-1), 0);
}

TEST_F(AttachTest, TerminalStaysWhenTheContainerClosesItForAWhile) {
  ContainerSpec spec = Spec(
      "exec 3>/dev/shm/state; tty=$(tty); exec </dev/null >/dev/null 2>&1; echo closed >&3;"
      "until [ -e /dev/shm/go ]; do sleep 0.01; done; exec >$tty; echo back");
  spec.tty = true;
  world_.Start(spec);
  auto process = Attach(true);
  ASSERT_NE(process, nullptr);
  ContainerSpec go = world_.Spec(
      "pod-a", {"sh", "-c", "until grep -q closed /dev/shm/state; do :; done; touch /dev/shm/go"});
  go.name = "go";
  world_.Start(go);
  EXPECT_EQ(ReadUntil(process->stdout_fd.get(), ""), "back\r\n");
  EXPECT_EQ(process->Wait().value_or(-1), 0);
}

TEST_F(AttachTest, LosesNothingOfAFloodThoughTheReaderIsSlow) {
  ContainerSpec spec = Spec("read go; seq 1 200000; exit 5");
  world_.Start(spec);
  auto process = Attach(true);
  ASSERT_NE(process, nullptr);
  ASSERT_TRUE(WriteAll(process->stdin_fd.get(), "go\n").ok());
  std::string text = ReadUntil(process->stdout_fd.get(), "1000\n");
  // The pipe is full and the container waits, but for the log nothing does.
  world_.AwaitLog("pod-a", "\n5000\n");
  text += ReadUntil(process->stdout_fd.get(), "");
  EXPECT_EQ(process->Wait().value_or(-1), 5);
  EXPECT_EQ(text, world_.Log("pod-a"));
  EXPECT_TRUE(absl::EndsWith(text, "199999\n200000\n"));
}

TEST_F(AttachTest, OneWhoDoesNotReadIsCutOffAndTheContainerGoesOn) {
  world_.Start(Spec("read go; seq 1 200000; exit 5"));
  auto process = Attach(true);
  ASSERT_NE(process, nullptr);
  ASSERT_TRUE(WriteAll(process->stdin_fd.get(), "go\n").ok());
  EXPECT_EQ(world_.Await("pod-a").exit_code, 5);
  const absl::StatusOr<int> end = process->Wait();
  EXPECT_THAT(std::string(end.status().message()), HasSubstr("was not read for 10 s"));
}

TEST_F(AttachTest, EndsWithTheAgentButTheContainerDoesNot) {
  ContainerSpec spec = Spec("while read word; do echo got $word; done");
  spec.tty = true;
  world_.Start(spec);
  auto process = Attach(true);
  ASSERT_NE(process, nullptr);
  ASSERT_TRUE(WriteAll(process->stdin_fd.get(), "one\n").ok());
  ReadUntil(process->stdout_fd.get(), "got one");
  world_.StartAgent();
  auto again = Attach(true);
  ASSERT_NE(again, nullptr);
  ASSERT_TRUE(WriteAll(again->stdin_fd.get(), "two\n").ok());
  EXPECT_THAT(ReadUntil(again->stdout_fd.get(), "got two"), HasSubstr("got two"));
}

TEST_F(AttachTest, SaysWhyItCannotBe) {
  ContainerSpec spec = world_.Spec("pod-a", {"sleep", "1000"});
  world_.Start(spec);
  AttachSpec attach;
  attach.pod_uid = "pod-a";
  attach.container = "main";
  attach.stdin = true;
  const auto no_stdin = world_.runtime().Attach(attach);
  EXPECT_EQ(no_stdin.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(no_stdin.status().message()), HasSubstr("has no stdin"));
  attach.container = "other";
  EXPECT_EQ(world_.runtime().Attach(attach).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AttachTest, ContainerWithStdinHoldsNoOtherDescriptor) {
  world_.Start(Spec("ls -1 /proc/1/fd; true"));
  world_.Await("pod-a");
  EXPECT_EQ(world_.Log("pod-a"), "0\n1\n2\n");
  ContainerSpec spec = Spec("ls -1 /proc/1/fd; readlink /proc/1/fd/0");
  spec.attempt = 1;
  spec.tty = true;
  world_.Start(spec);
  world_.Await("pod-a");
  EXPECT_EQ(world_.Log("pod-a", "main", 1), "0\r\n1\r\n2\r\n/dev/pts/0\r\n");
}

}  // namespace
}  // namespace cluster::node
