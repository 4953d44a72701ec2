#include "node/process/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::node {
namespace {

constexpr size_t kStackSize = 64 * 1024;

struct ChildArguments {
  const SpawnSpec* spec;
  char* const* argv;
  int error = 0;
  bool ran = false;  // seen by the parent, as memory is shared
};

// Runs in the parent's memory: no allocation, no locks, raw calls only.
[[noreturn]] void RunChild(void* argument) {
  auto* child = static_cast<ChildArguments*>(argument);
  const SpawnSpec& spec = *child->spec;
  child->ran = true;
  const int count = static_cast<int>(spec.fds.size());
  const auto give_up = [child]() {
    child->error = errno;
    _exit(127);
  };
  // Out of the way of the targets first; then each to its place, without close-on-exec.
  int program = fcntl(spec.program_fd, F_DUPFD_CLOEXEC, count + 1);
  if (program < 0) give_up();
  for (int i = 0; i < count; ++i) {
    const int high = fcntl(spec.fds[static_cast<size_t>(i)], F_DUPFD_CLOEXEC, count + 1);
    if (high < 0) give_up();
    // The source of a later target may sit on this one: each source was moved up before it is
    // needed.
    const_cast<std::vector<int>&>(spec.fds)[static_cast<size_t>(i)] = high;
  }
  for (int i = 0; i < count; ++i) {
    if (dup2(spec.fds[static_cast<size_t>(i)], i) < 0) give_up();
  }
  if (dup3(program, count, O_CLOEXEC) < 0) give_up();
  if (close_range(static_cast<unsigned>(count) + 1, ~0u, 0) != 0) give_up();
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < 65; ++signal) sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  char* const environment[] = {nullptr};
  execveat(count, "", child->argv, environment, AT_EMPTY_PATH);
  give_up();
  __builtin_unreachable();
}

// clone3(2) with a stack of its own needs the jump into the child written out: the C library's
// wrapper does not offer clone3, and returning on the shared stack would destroy the parent's
// frame.
pid_t Clone3OnStack(clone_args* args, void (*run)(void*), void* argument) {
#if defined(__x86_64__)
  long result;
  register long number asm("rax") = SYS_clone3;
  register void* first asm("rdi") = args;
  register long second asm("rsi") = sizeof *args;
  register void (*entry)(void*) asm("r12") = run;
  register void* parameter asm("r13") = argument;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "r"(number), "r"(first), "r"(second), "r"(entry), "r"(parameter)
      : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long result asm("x0") = reinterpret_cast<long>(args);
  register long second asm("x1") = sizeof *args;
  register long number asm("x8") = SYS_clone3;
  register void (*entry)(void*) asm("x19") = run;
  register void* parameter asm("x20") = argument;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x20\n\t"
      "blr x19\n\t"
      "brk #0\n"
      "1:"
      : "+r"(result)
      : "r"(second), "r"(number), "r"(entry), "r"(parameter)
      : "memory");
#else
#error "write clone3 for this machine"
#endif
  if (result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return static_cast<pid_t>(result);
}

}  // namespace

absl::StatusOr<SpawnedProcess> SpawnProgram(const SpawnSpec& spec) {
  // The child moves descriptors about in this copy.
  SpawnSpec own = spec;
  std::vector<char*> argv;
  for (std::string& argument : own.argv) argv.push_back(argument.data());
  argv.push_back(nullptr);
  void* stack = mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return ErrnoStatus("mmap", "stack");
  ChildArguments child{&own, argv.data()};
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.stack = reinterpret_cast<uint64_t>(stack);
  args.stack_size = kStackSize;
  if (spec.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(spec.cgroup_fd);
  }
  // No signal handler of ours may run in the child while it shares our memory.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = Clone3OnStack(&args, RunChild, &child);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  munmap(stack, kStackSize);
  if (pid < 0) return ErrnoStatus(error, "clone3", spec.argv[0]);
  SpawnedProcess process{pid, UniqueFd(pidfd)};
  if (!child.ran) {
    waitid(P_PIDFD, static_cast<id_t>(pidfd), nullptr, WEXITED | __WALL);
    return absl::AbortedError(absl::StrCat("execute ", spec.argv[0], ": killed at birth"));
  }
  if (child.error != 0) {
    waitid(P_PIDFD, static_cast<id_t>(pidfd), nullptr, WEXITED | __WALL);
    return ErrnoStatus(child.error, "execute", spec.argv[0]);
  }
  return process;
}

absl::StatusOr<UniqueFd> OpenProgramReadOnly(const std::string& path) {
  UniqueFd mount(open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!mount) return ErrnoStatus("open_tree", path);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    return ErrnoStatus("make a read-only mount of", path);
  }
  return mount;
}

}  // namespace cluster::node
