#include "tests/root/node/runtime/test_agent.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"

#include "base/file.h"

extern char** environ;

namespace cluster::node {

TestAgent::TestAgent(const std::string& base, const std::string& parent) {
  int in[2];
  int out[2];
  EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
  EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "test_agent";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::string arguments[] = {program, base, parent};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
  EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ), 0) << program;
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  in_.reset(in[1]);
  out_.reset(out[0]);
}

void TestAgent::Tell(const std::string& line) {
  // Fails when it was killed meanwhile, which tests do.
  const absl::Status written = WriteAll(in_.get(), line + "\n");
  if (!written.ok()) {
    EXPECT_EQ(waitpid(pid_, nullptr, WNOHANG), pid_) << written;
  }
}

std::string TestAgent::Answer() {
  std::string line;
  for (char c; read(out_.get(), &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

void TestAgent::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

}  // namespace cluster::node
