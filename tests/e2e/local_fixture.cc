#include "tests/e2e/local_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

#include "base/file.h"
#include "base/unique_handle.h"

namespace cluster::e2e {
namespace {

std::string cluster_name;

std::string BinDir() {
  const char* directory = std::getenv("CLUSTER_BIN_DIR");
  return directory == nullptr ? "build/bin" : directory;
}

struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd in, out, err;
};

Child Spawn(const std::vector<std::string>& argv) {
  int in[2], out[2], err[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe");
  }
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  Child child;
  child.pid = fork();
  if (child.pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  child.pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));
  child.in.reset(in[1]);
  child.out.reset(out[0]);
  child.err.reset(err[0]);
  return child;
}

// One read; false at the end of the stream.
bool Drain(UniqueFd& fd, std::string* into) {
  char buffer[65536];
  const ssize_t got = read(fd.get(), buffer, sizeof buffer);
  if (got > 0) into->append(buffer, static_cast<size_t>(got));
  if (got <= 0) fd.reset();
  return got > 0;
}

}  // namespace

Outcome RunProgram(const std::vector<std::string>& argv, const std::string& input) {
  signal(SIGPIPE, SIG_IGN);
  Child child = Spawn(argv);
  Outcome outcome;
  size_t written = 0;
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  while (child.out || child.err) {
    if (child.in && written == input.size()) child.in.reset();
    pollfd fds[3] = {
        {child.out.get(), POLLIN, 0}, {child.err.get(), POLLIN, 0}, {child.in.get(), POLLOUT, 0}};
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0 || poll(fds, 3, static_cast<int>(left)) == 0) {
      ADD_FAILURE() << absl::StrJoin(argv, " ") << ": did not end in time; printed: " << outcome.out
                    << outcome.err;
      kill(child.pid, SIGKILL);
      break;
    }
    if (fds[0].revents != 0) Drain(child.out, &outcome.out);
    if (fds[1].revents != 0) Drain(child.err, &outcome.err);
    if (fds[2].revents != 0) {
      const ssize_t put = write(child.in.get(), input.data() + written, input.size() - written);
      if (put < 0) child.in.reset();
      if (put > 0) written += static_cast<size_t>(put);
    }
  }
  int status = 0;
  waitpid(child.pid, &status, 0);
  outcome.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return outcome;
}

const std::string& ClusterName() { return cluster_name; }

void LocalCluster::SetUp() {
  cluster_name = name_;
  // Contexts of this test alone.
  setenv("XDG_CONFIG_HOME", absl::StrCat("/tmp/cluster-e2e-", getpid()).c_str(), 1);
  const Outcome up = RunProgram(
      {BinDir() + "/clusterctl", "local", "up", "--name", name_, "--nodes", absl::StrCat(nodes_)});
  ASSERT_EQ(up.exit_code, 0) << up.out << up.err;
}

void LocalCluster::TearDown() {
  if (testing::UnitTest::GetInstance()->failed_test_count() > 0) {
    std::error_code error;
    for (const auto& log :
         std::filesystem::directory_iterator("/var/lib/cluster/local/" + name_ + "/logs", error)) {
      const std::string text = ReadFile(log.path(), 64 << 20).value_or("");
      const size_t from = text.size() > 6000 ? text.size() - 6000 : 0;
      std::cerr << "---- " << log.path().filename() << "\n" << text.substr(from) << "\n";
    }
  }
  const Outcome down = RunProgram({BinDir() + "/clusterctl", "local", "down", "--name", name_});
  EXPECT_EQ(down.exit_code, 0) << down.out << down.err;
  std::filesystem::remove_all(getenv("XDG_CONFIG_HOME"));
}

namespace {

std::vector<std::string> CtlCommand(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {BinDir() + "/clusterctl"};
  if (arguments[0] == "local") {
    argv.insert(argv.end(), arguments.begin(), arguments.begin() + 2);
    argv.insert(argv.end(), {"--name", cluster_name});
    argv.insert(argv.end(), arguments.begin() + 2, arguments.end());
  } else {
    argv.insert(argv.end(), {"--context", cluster_name});
    argv.insert(argv.end(), arguments.begin(), arguments.end());
  }
  return argv;
}

}  // namespace

Outcome Ctl(const std::vector<std::string>& arguments, const std::string& input) {
  return RunProgram(CtlCommand(arguments), input);
}

RunningCtl::RunningCtl(const std::vector<std::string>& arguments) {
  Child child = Spawn(CtlCommand(arguments));
  pid_ = child.pid;
  out_ = std::move(child.out);
  err_ = std::move(child.err);
}

RunningCtl::~RunningCtl() {
  if (pid_ < 0) return;
  kill(pid_, SIGINT);
  Wait();
}

std::string RunningCtl::AwaitOut(const std::string& part) {
  while (printed_.find(part) == std::string::npos) {
    if (Drain(out_, &printed_)) continue;
    ADD_FAILURE() << "it ended without \"" << part << "\": " << printed_;
    break;
  }
  return printed_;
}

int RunningCtl::Wait() {
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string CtlOut(const std::vector<std::string>& arguments, const std::string& input) {
  Outcome outcome = Ctl(arguments, input);
  EXPECT_EQ(outcome.exit_code, 0) << absl::StrJoin(arguments, " ") << "\n"
                                  << outcome.out << outcome.err;
  return std::string(absl::StripSuffix(outcome.out, "\n"));
}

bool Eventually(const std::function<bool()>& condition, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    poll(nullptr, 0, 50);
  }
  return true;
}

MachineState ReadMachineState() {
  MachineState state;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // Without the ids, which are dealt anew.
    state.mounts.push_back(line.substr(line.find('/')));
  }
  std::error_code error;
  for (const auto& link : std::filesystem::directory_iterator("/sys/class/net", error)) {
    state.links.push_back(link.path().filename());
  }
  for (const auto& hierarchy : std::filesystem::directory_iterator("/sys/fs/cgroup", error)) {
    for (const auto& group : std::filesystem::directory_iterator(hierarchy.path(), error)) {
      if (group.is_directory(error)) state.groups.push_back(group.path().string());
    }
  }
  for (auto* list : {&state.mounts, &state.links, &state.groups})
    std::sort(list->begin(), list->end());
  return state;
}

}  // namespace cluster::e2e
