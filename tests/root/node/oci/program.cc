#include "tests/root/node/oci/program.h"

#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster::oci {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

int AwaitEnd(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Both at once, so that neither pipe fills up.
void Drain(int out, int err, Outcome* outcome) {
  pollfd watched[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* const texts[2] = {&outcome->out, &outcome->err};
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    if (poll(watched, 2, -1) < 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (watched[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t got = read(watched[i].fd, buffer, sizeof buffer);
      if (got > 0) texts[i]->append(buffer, static_cast<size_t>(got));
      if (got == 0) watched[i].fd = -1;
    }
  }
}

}  // namespace

void EnterTestNamespaces() {
  static const bool entered = unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
                              mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  ASSERT_TRUE(entered) << "unshare: run as root";
}

Outcome RunProgram(std::vector<std::string> words, const std::string& input) {
  const std::vector<char*> argv = Pointers(words);
  Outcome outcome;
  int in[2];
  int out[2];
  int err[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    ADD_FAILURE() << "pipe";
    return outcome;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  pid_t pid = 0;
  EXPECT_EQ(posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ), 0) << words[0];
  posix_spawn_file_actions_destroy(&actions);
  for (const int fd : {in[0], out[1], err[1]}) close(fd);
  (void)WriteAll(in[1], input);
  close(in[1]);
  Drain(out[0], err[0], &outcome);
  close(out[0]);
  close(err[0]);
  outcome.code = AwaitEnd(pid);
  return outcome;
}

Outcome RunOnTerminal(std::vector<std::string> words, const std::string& input) {
  const std::vector<char*> argv = Pointers(words);
  int master = -1;
  const winsize size{24, 80, 0, 0};
  const pid_t pid = forkpty(&master, nullptr, nullptr, &size);
  if (pid == 0) {
    execvp(argv[0], argv.data());
    _exit(127);
  }
  Outcome outcome;
  if (pid < 0) {
    ADD_FAILURE() << "forkpty";
    return outcome;
  }
  EXPECT_EQ(write(master, input.data(), input.size()), static_cast<ssize_t>(input.size()));
  // An error at the end: the last process of the terminal is gone.
  char buffer[4096];
  for (ssize_t got; (got = read(master, buffer, sizeof buffer)) > 0;) {
    outcome.out.append(buffer, static_cast<size_t>(got));
  }
  close(master);
  outcome.code = AwaitEnd(pid);
  return outcome;
}

}  // namespace cluster::oci
