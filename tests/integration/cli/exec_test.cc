#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>

#include "gmock/gmock.h"

#include "base/file.h"
#include "command_run.h"

namespace cluster::cli {
namespace {

class ExecTest : public CommandTest {
 protected:
  ExecTest() { PutWithStatus(PodManifest("web-1"), kReady); }
};

TEST_F(ExecTest, PassesTheExitCodeAndBothOutputsOn) {
  const Outcome outcome = Run({"exec", "web-1", "--", "exit", "7"});
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.err, "bye\ncommand terminated with exit code 7\n");
  EXPECT_EQ(cluster_.last_exec().container(), "main");
  EXPECT_FALSE(cluster_.last_exec().stdin());
}

TEST_F(ExecTest, StdinEndsTheCommandThatReadsIt) {
  const std::string input(300'000, 'x');
  const Outcome outcome = Run({"exec", "-i", "pod/web-1", "-c", "main", "--", "wc"}, input);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "300000\n");
  EXPECT_EQ(Run({"exec", "-i", "web-1", "--", "cat"}, "hello").out, "hello");
}

TEST_F(ExecTest, TheCommandIsTakenAsItIsWritten) {
  Run({"exec", "web-1", "--", "exit", "0", "-n", "--help", "[a,b]", "--"});
  EXPECT_THAT(cluster_.last_exec().command(),
              testing::ElementsAre("exit", "0", "-n", "--help", "[a,b]", "--"));
}

TEST_F(ExecTest, WithoutATerminalThereIsNoTty) {
  const Outcome outcome = Run({"exec", "-it", "web-1", "--", "cat"}, "x");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, testing::HasSubstr("Unable to use a TTY"));
  EXPECT_FALSE(cluster_.last_exec().tty());
}

TEST_F(ExecTest, ATerminalIsRawMeanwhileAndItsSizeIsPassedOn) {
  const UniqueFd controller(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(controller.valid());
  ASSERT_EQ(grantpt(controller.get()), 0);
  ASSERT_EQ(unlockpt(controller.get()), 0);
  const UniqueFd terminal(open(ptsname(controller.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal.valid());
  const auto resize = [&](unsigned short rows, unsigned short columns) {
    const winsize size = {rows, columns, 0, 0};
    ASSERT_EQ(ioctl(controller.get(), TIOCSWINSZ, &size), 0);
  };
  const auto is_raw = [&] {
    termios now{};
    EXPECT_EQ(tcgetattr(terminal.get(), &now), 0);
    return (now.c_lflag & (ICANON | ECHO)) == 0;
  };
  resize(24, 80);
  const auto run = Start({"exec", "-it", "web-1", "--", "size"}, terminal.get());
  run->out().Await("24x80\r\n");
  EXPECT_TRUE(is_raw());
  resize(1, 100);
  ASSERT_EQ(raise(SIGWINCH), 0);
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "24x80\r\n1x100\r\n");
  EXPECT_FALSE(is_raw());
}

TEST_F(ExecTest, Refusals) {
  EXPECT_EQ(Run({"exec"}).code, 2);
  EXPECT_EQ(Run({"exec", "web-1"}).code, 2);
  const Outcome missing = Run({"exec", "web-1", "--", "missing"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err, "error: exec missing: no such file in the container\n");
  const Outcome container = Run({"exec", "web-1", "-c", "side", "--", "cat"});
  EXPECT_EQ(container.code, 1);
  EXPECT_EQ(container.err, "error: container \"side\" is not in pod \"web-1\"; it has: main\n");
}

}  // namespace
}  // namespace cluster::cli
