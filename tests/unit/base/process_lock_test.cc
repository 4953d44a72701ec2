#include "base/process_lock.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

class ProcessLockTest : public testing::Test {
 protected:
  ProcessLockTest() {
    char path[] = "/tmp/cluster-lock-XXXXXX";
    directory_ = mkdtemp(path);
    path_ = directory_ + "/lock";
  }
  ~ProcessLockTest() override { std::filesystem::remove_all(directory_); }

  // A process that holds the lock, and a child of it that has copies of its descriptors, which is
  // what a process is between its clone and its execve. Returns once both are there.
  void StartHolderWithChild() {
    int told[2];
    ASSERT_EQ(pipe(told), 0);
    holder_ = fork();
    if (holder_ == 0) {
      const auto lock = ProcessLock::Take(path_);
      const pid_t child = lock.ok() ? fork() : 0;
      if (child != 0 && write(told[1], &child, sizeof child) != sizeof child) _exit(1);
      pause();
      _exit(1);
    }
    close(told[1]);
    ASSERT_EQ(read(told[0], &child_, sizeof child_), static_cast<ssize_t>(sizeof child_));
    close(told[0]);
  }

  std::string directory_;
  std::string path_;
  pid_t holder_ = 0;
  pid_t child_ = 0;
};

TEST_F(ProcessLockTest, KeepsItsOwnProcessOut) {
  auto lock = ProcessLock::Take(path_);
  ASSERT_TRUE(lock.ok()) << lock.status();
  const absl::Status second = ProcessLock::Take(path_).status();
  EXPECT_EQ(second, absl::FailedPreconditionError(
                        absl::StrCat(path_, " is held by process ", getpid(),
                                     ": end that one, or use another directory")));
  // The refusal took nothing away from the first: another process is still kept out.
  const pid_t other = fork();
  if (other == 0) _exit(absl::IsFailedPrecondition(ProcessLock::Take(path_).status()) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0);
}

TEST_F(ProcessLockTest, IsFreeOnceLetGo) {
  { EXPECT_TRUE(ProcessLock::Take(path_).ok()); }
  auto lock = ProcessLock::Take(path_);
  ASSERT_TRUE(lock.ok());
  const ProcessLock moved = *std::move(lock);
  EXPECT_TRUE(absl::IsFailedPrecondition(ProcessLock::Take(path_).status()));
}

TEST_F(ProcessLockTest, KeepsOtherProcessesOutAndNamesTheHolder) {
  StartHolderWithChild();
  EXPECT_EQ(ProcessLock::Take(path_).status().message(),
            absl::StrCat(path_, " is held by process ", holder_,
                         ": end that one, or use another directory"));
  kill(child_, SIGKILL);
  kill(holder_, SIGKILL);
  waitpid(holder_, nullptr, 0);
}

TEST_F(ProcessLockTest, EndsWithItsProcessThoughAChildHasCopiesOfItsDescriptors) {
  StartHolderWithChild();
  kill(holder_, SIGKILL);
  ASSERT_EQ(waitpid(holder_, nullptr, 0), holder_);
  ASSERT_EQ(kill(child_, 0), 0);
  EXPECT_EQ(ProcessLock::Take(path_).status(), absl::OkStatus());
  kill(child_, SIGKILL);
}

}  // namespace
}  // namespace cluster
