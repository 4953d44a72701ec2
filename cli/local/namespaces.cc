#include "cli/local/namespaces.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cli/local/layout.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

// Runs `unshare` in a thread of its own and, while that thread lives, pins its namespace.
absl::Status PinFromThread(int flags, const char* kind, const std::string& pin,
                           const std::function<absl::Status()>& inside) {
  ASSIGN_OR_RETURN(UniqueFd target, OpenAt(AT_FDCWD, pin, O_RDONLY | O_CREAT, 0600));
  std::promise<void> pinned;
  std::promise<std::pair<pid_t, absl::Status>> ready;
  std::thread thread([&, done = pinned.get_future()]() mutable {
    absl::Status status;
    if (unshare(flags) != 0) status = ErrnoStatus("unshare", kind);
    if (status.ok()) status = inside();
    ready.set_value({static_cast<pid_t>(syscall(SYS_gettid)), status});
    done.wait();
  });
  auto [tid, status] = ready.get_future().get();
  if (status.ok()) {
    const std::string source = absl::StrCat("/proc/self/task/", tid, "/ns/", kind);
    if (mount(source.c_str(), pin.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      status = ErrnoStatus("mount", pin);
    }
  }
  pinned.set_value();
  thread.join();
  if (!status.ok()) unlink(pin.c_str());
  return status;
}

absl::Status DropPinsOfLocalClusters() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return ErrnoStatus("make private", "/");
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kLocalRunRoot, error)) {
    if (!entry.is_directory(error)) continue;
    // A pin that was copied here would keep another node's network alive after that node is gone.
    const std::string pins = entry.path() / "ns";
    if (umount2(pins.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
      return ErrnoStatus("umount", pins);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MakePinDirectory(const std::string& directory) {
  RETURN_IF_ERROR(MakeDirectories(directory, 0700));
  // A mount point's parent has another device or mount id; asking the kernel to make a non-mount
  // private fails with EINVAL, which tells the two apart.
  if (mount(nullptr, directory.c_str(), nullptr, MS_PRIVATE, nullptr) == 0) return absl::OkStatus();
  if (mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
      mount(nullptr, directory.c_str(), nullptr, MS_PRIVATE, nullptr) != 0) {
    return ErrnoStatus("mount", directory);
  }
  return absl::OkStatus();
}

absl::Status PinNewNetns(const std::string& pin) {
  if (IsPinned(pin)) return absl::OkStatus();
  return PinFromThread(CLONE_NEWNET, "net", pin, [] { return absl::OkStatus(); });
}

absl::Status PinNewMountns(const std::string& pin) {
  if (IsPinned(pin)) return absl::OkStatus();
  return PinFromThread(CLONE_NEWNS, "mnt", pin, DropPinsOfLocalClusters);
}

absl::Status Unpin(const std::string& pin) {
  if (umount2(pin.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
    return ErrnoStatus("umount", pin);
  }
  if (unlink(pin.c_str()) != 0 && errno != ENOENT) return ErrnoStatus("unlink", pin);
  return absl::OkStatus();
}

bool IsPinned(const std::string& pin) {
  struct statfs info {};
  return statfs(pin.c_str(), &info) == 0 && info.f_type == NSFS_MAGIC;
}

absl::Status RemovePinDirectory(const std::string& directory) {
  if (umount2(directory.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
    return ErrnoStatus("umount", directory);
  }
  return absl::OkStatus();
}

}  // namespace cluster::cli
