#include "tests/bench/bench_tools.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

extern char** environ;

namespace cluster {

void Die(const std::string& what) {
  std::cerr << "bench: " << what << "\n";
  std::exit(1);
}

void Must(const absl::Status& status, const std::string& what) {
  if (!status.ok()) Die(absl::StrCat(what, ": ", status.ToString()));
}

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

Spawned Spawn(const std::vector<std::string>& argv) {
  int in[2];
  int out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) Die("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  Spawned child;
  const int error =
      posix_spawnp(&child.pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) Die(absl::StrCat(argv[0], ": ", ErrnoName(error)));
  close(in[0]);
  close(out[1]);
  child.in.reset(in[1]);
  child.out.reset(out[0]);
  return child;
}

std::string ReadLine(int fd) {
  std::string line;
  for (char c; read(fd, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

std::string ProgramDirectory() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

double Series::Percentile(double p) const {
  std::vector<int64_t> sorted = nanoseconds;
  std::sort(sorted.begin(), sorted.end());
  const size_t at = static_cast<size_t>(p * static_cast<double>(sorted.size() - 1) + 0.5);
  return static_cast<double>(sorted[at]) / 1e6;
}

void RunCommand(const std::vector<std::string>& argv) {
  const Spawned child = Spawn(argv);
  int status = 0;
  if (waitpid(child.pid, &status, 0) != child.pid || status != 0) Die(argv[0] + " failed");
}

// Fields 14 and 15.
double CpuSeconds(pid_t pid) {
  const std::string text = ReadFile(absl::StrCat("/proc/", pid, "/stat")).value_or("");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double Mebibytes(pid_t pid, const std::string& line) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; status >> word;) {
    double kibibytes = 0;
    if (word == line + ":" && status >> kibibytes) return kibibytes / 1024;
  }
  return 0;
}

BenchDisk::BenchDisk(const std::string& name, int64_t bytes)
    : image_("/var/tmp/" + name + "-XXXXXX"), path_("/var/tmp/" + name + "-XXXXXX") {
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    Die(absl::StrCat("unshare: ", ErrnoName(errno), " (run it as root)"));
  }
  const UniqueFd image(mkstemp(image_.data()));
  if (!image || ftruncate(image.get(), bytes) != 0) Die("make a disk image");
  if (mkdtemp(path_.data()) == nullptr) Die("mkdtemp");
  RunCommand({"mkfs.ext4", "-q", "-F", image_});
  RunCommand({"mount", "-o", "loop", image_, path_});
  // Lives on as long as it is mounted, also where the bench ends early.
  unlink(image_.c_str());
}

BenchDisk::~BenchDisk() {
  if (umount2(path_.c_str(), MNT_DETACH) != 0) std::cerr << "umount: " << ErrnoName(errno) << "\n";
  if (rmdir(path_.c_str()) != 0) std::cerr << path_ << ": " << ErrnoName(errno) << "\n";
}

}  // namespace cluster
