#include "node/process/identity.h"

#include <signal.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster::node {
namespace {

std::string BootId() {
  return std::string(
      absl::StripAsciiWhitespace(ReadFile("/proc/sys/kernel/random/boot_id").value()));
}

// A child that ends with `code` once it is told to.
class Child {
 public:
  explicit Child(int code) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[1]);
      char byte;
      _exit(read(ends[0], &byte, 1) == 0 ? code : 99);
    }
    close(ends[0]);
    go_.reset(ends[1]);
  }
  ~Child() {
    if (pid_ > 0) End();
  }
  void End() {
    go_.reset();
    EXPECT_EQ(waitpid(pid_, nullptr, 0), pid_);
    pid_ = -1;
  }
  std::string StartTime() const {
    const std::string stat = ReadFile(absl::StrCat("/proc/", pid_, "/stat")).value();
    std::string rest = stat.substr(stat.rfind(')') + 2);
    for (int field = 3; field < 22; ++field) rest = rest.substr(rest.find(' ') + 1);
    return rest.substr(0, rest.find(' '));
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
  UniqueFd go_;
};

TEST(ProcessIdentity, IsReadFromTheRecordOfAStart) {
  const auto identity = ParseIdentity(
      "pid 71\nstarted 1795000000000000000\nboot abc-def\nstarttime 12345\npidfd 254:0a0b\n");
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->pid, 71);
  EXPECT_EQ(identity->boot_id, "abc-def");
  EXPECT_EQ(identity->start_time, "12345");
  EXPECT_EQ(identity->handle, "254:0a0b");
  EXPECT_FALSE(ParseIdentity("").has_value());
  EXPECT_FALSE(ParseIdentity("pid 71\n").has_value()) << "of which life of the machine?";
  EXPECT_FALSE(ParseIdentity("pid x\nboot a\n").has_value());
  EXPECT_FALSE(ParseIdentity("pid -1\nboot a\n").has_value());
}

TEST(ProcessIdentity, OpensThatProcessAndNoOtherWithItsPid) {
  const Child child(0);
  ProcessIdentity identity{child.pid(), BootId(), child.StartTime(), ""};
  EXPECT_TRUE(OpenProcess(identity).ok());
  identity.start_time = "1";
  EXPECT_EQ(OpenProcess(identity).status().code(), absl::StatusCode::kNotFound);
  identity.start_time = "";
  EXPECT_EQ(OpenProcess(identity).status().code(), absl::StatusCode::kNotFound);
  identity.start_time = child.StartTime();
  identity.handle = "254:0000000000000000";
  EXPECT_EQ(OpenProcess(identity).status().code(), absl::StatusCode::kNotFound);
  identity.handle = "";
  identity.boot_id = "before-the-power-cut";
  EXPECT_EQ(OpenProcess(identity).status().code(), absl::StatusCode::kNotFound);
}

TEST(ProcessIdentity, IsGoneWithTheProcess) {
  Child child(0);
  const ProcessIdentity identity{child.pid(), BootId(), child.StartTime(), ""};
  child.End();
  EXPECT_EQ(OpenProcess(identity).status().code(), absl::StatusCode::kNotFound);
}

TEST(ReapedStatus, IsToldToWhoeverHeldTheProcess) {
  Child child(42);
  const auto pidfd = OpenProcess({child.pid(), BootId(), child.StartTime(), ""});
  ASSERT_TRUE(pidfd.ok()) << pidfd.status();
  EXPECT_FALSE(ReapedStatus(pidfd->get(), absl::ZeroDuration()).has_value()) << "it lives";
  child.End();
  const std::optional<int> status = ReapedStatus(pidfd->get(), absl::Seconds(10));
  utsname kernel{};
  ASSERT_EQ(uname(&kernel), 0);
  int major = 0;
  int minor = 0;
  ASSERT_EQ(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
  // PIDFD_INFO_EXIT came with 6.15.
  ASSERT_EQ(status.has_value(), std::pair(major, minor) >= std::pair(6, 15)) << kernel.release;
  EXPECT_EQ(WEXITSTATUS(status.value_or(42 << 8)), 42);
}

}  // namespace
}  // namespace cluster::node
