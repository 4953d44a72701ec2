#include "tests/root/node/oci/strangers/machine.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "base/unique_handle.h"

namespace cluster::oci {

namespace fs = std::filesystem;

namespace {

constexpr int kDeadlineMilliseconds = 60'000;

bool AwaitEnd(pid_t pid) {
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  return process.valid() && poll(&ended, 1, kDeadlineMilliseconds) == 1;
}

std::vector<pid_t> Children() {
  std::vector<pid_t> pids;
  const std::string path = absl::StrCat("/proc/self/task/", gettid(), "/children");
  const std::string text = ReadFile(path).value_or("");
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    int pid = 0;
    if (absl::SimpleAtoi(word, &pid)) pids.push_back(pid);
  }
  return pids;
}

// The v2 tree alone, or what is mounted beside each other.
std::vector<fs::path> Hierarchies() {
  const fs::path top = "/sys/fs/cgroup";
  if (fs::exists(top / "cgroup.procs")) return {top};
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(top, error)) {
    if (fs::exists(entry.path() / "cgroup.procs")) found.push_back(entry.path());
  }
  return found;
}

void RemoveGroup(const fs::path& group) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(group, error)) {
    if (entry.is_directory(error)) RemoveGroup(entry.path());
  }
  rmdir(group.c_str());
}

}  // namespace

bool IsInstalled(const std::string& program) {
  const char* path = getenv("PATH");
  for (const absl::string_view directory : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    if (access(absl::StrCat(directory, "/", program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

StrangersMachine::StrangersMachine() {
  EnterTestNamespaces();
  EXPECT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  // conmon writes where it was started.
  came_from_ = fs::current_path();
  fs::current_path(base());
  node::MakeBusyboxLayer(rootfs());
  EXPECT_EQ(mkfifo((rootfs() + "/fifo").c_str(), 0666), 0);
  EXPECT_EQ(RunProgram({"tar", "-C", rootfs(), "-cf", image_tar(), "."}).code, 0);
  fs::create_directory(base() + "/bin");
  fs::copy_file(fs::read_symlink("/proc/self/exe").parent_path() / "../bin/cluster-oci", Runtime());
  Shadow("/etc");
  Shadow("/var");
  for (const char* volatile_one : {"/run", "/dev/shm"}) {
    EXPECT_EQ(mount("strangers", volatile_one, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"), 0);
    mounts_.push_back(volatile_one);
  }
}

StrangersMachine::~StrangersMachine() {
  EndDescendants();
  RemoveGroups();
  fs::current_path(came_from_);
  for (auto path = mounts_.rbegin(); path != mounts_.rend(); ++path) {
    EXPECT_EQ(umount2(path->c_str(), MNT_DETACH), 0) << *path;
  }
}

void StrangersMachine::Shadow(const std::string& directory) {
  const std::string upper = absl::StrCat(base(), "/shadow", directory);
  fs::create_directories(upper + "/upper");
  fs::create_directories(upper + "/work");
  const std::string options =
      absl::StrCat("lowerdir=", directory, ",upperdir=", upper, "/upper,workdir=", upper, "/work");
  EXPECT_EQ(mount("overlay", directory.c_str(), "overlay", 0, options.c_str()), 0) << directory;
  mounts_.push_back(directory);
}

// Orphans come to us. Those that are about to end are waited for; the others should not be there.
void StrangersMachine::EndDescendants() {
  for (std::vector<pid_t> children = Children(); !children.empty(); children = Children()) {
    for (const pid_t pid : children) {
      if (!AwaitEnd(pid)) {
        const std::string words =
            ReadFile(absl::StrCat("/proc/", pid, "/cmdline")).value_or("a process");
        ADD_FAILURE() << absl::StrReplaceAll(words, {{std::string(1, '\0'), " "}}) << " is left";
        kill(pid, SIGKILL);
      }
      waitpid(pid, nullptr, 0);
    }
  }
}

// Managers leave their own groups behind, never those of containers: these have names like hashes.
void StrangersMachine::RemoveGroups() {
  for (const fs::path& hierarchy : Hierarchies()) {
    const fs::path ours = hierarchy / group();
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(ours, error)) {
      const std::string name = entry.path().filename();
      if (entry.is_directory(error) && !absl::StrContains(name, "conmon")) {
        ADD_FAILURE() << entry.path() << " is left";
      }
    }
    RemoveGroup(ours);
    EXPECT_FALSE(fs::exists(ours)) << ours;
  }
  // Some make directories for hierarchies that the kernel does not have, in the tmpfs above all.
  struct statfs above {};
  if (statfs("/sys/fs/cgroup", &above) != 0 || above.f_type != TMPFS_MAGIC) return;
  for (const auto& entry : fs::directory_iterator("/sys/fs/cgroup")) {
    std::error_code error;
    if (fs::remove(entry.path() / group(), error)) fs::remove(entry.path(), error);
  }
}

std::string StrangersMachine::group() const {
  return absl::StrCat("cluster-oci-strangers-", getpid());
}

std::string StrangersMachine::ReadGroup(const std::string& group, const std::string& controller,
                                        const std::string& v1_file, const std::string& v2_file) {
  const std::string v1 = absl::StrCat("/sys/fs/cgroup/", controller, "/", group, "/", v1_file);
  const std::string v2 = absl::StrCat("/sys/fs/cgroup/", group, "/", v2_file);
  return ReadFile(fs::exists(v1) ? v1 : v2).value_or("none");
}

Daemon::Daemon(std::vector<std::string> words, const std::string& log) {
  const std::string path = log + ".notify";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd notified(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(notified.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(output, 1);
    dup2(output, 2);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd watched[2] = {{notified.get(), POLLIN, 0}, {process.get(), POLLIN, 0}};
  while (!ready_ && poll(watched, 2, kDeadlineMilliseconds) > 0 && watched[1].revents == 0) {
    char text[4096];
    const ssize_t got = recv(notified.get(), text, sizeof text, 0);
    ready_ =
        got > 0 && absl::StrContains(absl::string_view(text, static_cast<size_t>(got)), "READY=1");
  }
  EXPECT_TRUE(ready_) << words[0] << ": " << ReadFile(log).value_or("");
}

Daemon::~Daemon() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  const bool ended = AwaitEnd(pid_);
  EXPECT_TRUE(ended) << "a daemon does not end";
  if (!ended) kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace cluster::oci
