#include "node/runtime/hidden_sysctls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::node {
namespace {

constexpr size_t kStackSize = 32 << 10;

// As sysctl(8) has it: "." and "/" change places.
std::string PathOf(const std::string& name) {
  std::string path = "/proc/sys/" + name;
  for (size_t i = sizeof "/proc/sys/" - 1; i < path.size(); ++i) {
    if (path[i] == '.') {
      path[i] = '/';
    } else if (path[i] == '/') {
      path[i] = '.';
    }
  }
  return path;
}

struct Look {
  std::vector<std::string> paths;
  size_t missing = 0;  // index of the first one that is not there; as many as there are: none
};

// Runs in the parent's memory: raw calls only. What is below /proc/sys/net depends on who looks.
int FindMissing(void* argument) {
  auto* look = static_cast<Look*>(argument);
  for (look->missing = 0; look->missing < look->paths.size(); ++look->missing) {
    const int fd = open(look->paths[look->missing].c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) break;
    close(fd);
  }
  return 0;
}

// The first of the paths that is not there, seen from new namespaces; "" = none.
absl::StatusOr<std::string> MissingIn(int namespaces, std::vector<std::string> paths) {
  Look look{std::move(paths)};
  std::vector<char> stack(kStackSize + 16);
  const auto top = (reinterpret_cast<uintptr_t>(stack.data()) + kStackSize) & ~uintptr_t{15};
  // No handler of ours may run in the child while it shares our memory.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t child =
      clone(FindMissing, reinterpret_cast<void*>(top), namespaces | CLONE_VM | CLONE_VFORK, &look);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return ErrnoStatus(error, "clone", "namespaces to look for sysctls in");
  while (waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  return look.missing < look.paths.size() ? look.paths[look.missing] : "";
}

}  // namespace

absl::Status CheckSysctlsShown(const SandboxSpec& spec) {
  if (spec.host_users || spec.host_network) return absl::OkStatus();
  std::vector<std::string> paths;
  for (const auto& [name, value] : spec.sysctls) {
    if (absl::StartsWith(name, "net.")) paths.push_back(PathOf(name));
  }
  if (paths.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::string missing, MissingIn(CLONE_NEWUSER | CLONE_NEWNET, paths));
  if (missing.empty()) return absl::OkStatus();
  // Interfaces are still to come, and names may be wrong: only what a network of the node's own
  // users has is hidden.
  for (const auto& [name, value] : spec.sysctls) {
    const std::string path = PathOf(name);
    if (!absl::StartsWith(name, "net.")) continue;
    ASSIGN_OR_RETURN(missing, MissingIn(CLONE_NEWUSER | CLONE_NEWNET, {path}));
    if (missing.empty()) continue;
    ASSIGN_OR_RETURN(missing, MissingIn(CLONE_NEWNET, {path}));
    if (!missing.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "sysctl ", name, " cannot be set: this node's kernel hides it from pods with a user ",
        "namespace of their own; set hostUsers: true or remove it from the pod"));
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
