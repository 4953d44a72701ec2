// System calls that glibc 2.36 has no wrapper for. Freestanding; errno on failure as usual.
// Oldest kernel: 5.14 (clone3, openat2, mount_setattr, cgroup.kill).
#pragma once

#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cluster::init {

// fork with namespaces; returns 0 in the child. clone(2)
inline pid_t Clone3(uint64_t flags, int exit_signal, int* pidfd, int cgroup_fd) {
  clone_args args;
  memset(&args, 0, sizeof args);
  args.flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args.pidfd = reinterpret_cast<uint64_t>(pidfd);
  args.exit_signal = static_cast<uint64_t>(exit_signal);
  if (cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(cgroup_fd);
  }
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
}

// openat2(2); always O_CLOEXEC and never through /proc's magic links.
inline int OpenAt2(int dir, const char* path, uint64_t flags, uint64_t resolve, uint64_t mode = 0) {
  open_how how;
  memset(&how, 0, sizeof how);
  how.flags = flags | 02000000;  // O_CLOEXEC
  how.mode = mode;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, dir, path, &how, sizeof how));
}

inline int PivotRoot(const char* new_root, const char* put_old) {
  return static_cast<int>(syscall(SYS_pivot_root, new_root, put_old));
}

inline int PidfdSendSignal(int pidfd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

inline int PidfdOpen(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace cluster::init
