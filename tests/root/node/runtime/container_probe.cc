// What a hostile program tries, as seen from inside a container. Static; one word says what to try,
// and the last line of its output is EXPOSED or BLOCKED (with the errno).
//
//   double-chroot PATH   leave the root by a chroot below an open directory, look for PATH
//   write PATH           open PATH for writing
//   mknod MAJOR MINOR    make and open that block device
//   mount                mount a tmpfs
//   cgroup-mount         mount a v1 hierarchy, whose release_agent would run on the node
//   unshare-user         become root of a user namespace of one's own and mount there
//   call NAME            make that system call with arguments that do no harm
//   clone3               the errno tells whether C libraries find their way to clone
//   thread               start a thread as C libraries do
//   socket FAMILY        a socket of that family
//   socket32 FAMILY      the same through the 32-bit call socketcall
//   packet               a raw socket on the link, and one for raw IP
//   x32                  getpid by the number that x32 has for it
//   getpid32             getpid by the 32-bit way in
//   handle PATH          open PATH's file system by a handle made up
//   abstract NAME        connect to the abstract unix socket NAME
//   type                 put a character into the terminal's input (TIOCSTI)
//   signal PID           signal 0 to PID
//   ptrace PID           attach to PID
//   euid                 prints the effective user id alone
//   fds                  prints the numbers of the open descriptors
//   clocks               prints boottime and monotonic, seconds
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

int Blocked() {
  printf("BLOCKED %s\n", strerrorname_np(errno));
  return 0;
}

int Verdict(bool exposed) {
  if (!exposed) return Blocked();
  puts("EXPOSED");
  return 0;
}

int DoubleChroot(const char* path) {
  const int outside = open("/", O_RDONLY | O_DIRECTORY);
  mkdir("/jail", 0755);
  if (outside < 0 || chroot("/jail") != 0 || fchdir(outside) != 0) return Blocked();
  for (int i = 0; i < 64; ++i) {
    if (chdir("..") != 0) return Blocked();
  }
  if (chroot(".") != 0) return Blocked();
  return Verdict(access(path, F_OK) == 0);
}

int MakeDevice(int major, int minor) {
  if (mknod("/device", S_IFBLK | 0600,
            makedev(static_cast<unsigned>(major), static_cast<unsigned>(minor))) != 0) {
    return Blocked();
  }
  return Verdict(open("/device", O_RDONLY) >= 0);
}

// Harmless: each is told nonsense, so what the kernel itself answers is never success. EXPOSED is
// any answer but that of a filter or of a missing permission.
int MakeCall(const char* name) {
  struct Call {
    const char* name;
    long number;
  };
  static const Call calls[] = {{"fsopen", SYS_fsopen},
                               {"bpf", SYS_bpf},
                               {"io_uring_setup", SYS_io_uring_setup},
                               {"userfaultfd", SYS_userfaultfd},
                               {"add_key", SYS_add_key},
                               {"keyctl", SYS_keyctl},
                               {"perf_event_open", SYS_perf_event_open},
                               {"setns", SYS_setns},
                               {"open_tree", SYS_open_tree},
                               {"kexec_load", SYS_kexec_load},
                               {"init_module", SYS_init_module},
                               {"pivot_root", SYS_pivot_root},
                               {"process_vm_readv", SYS_process_vm_readv},
                               {"swapon", SYS_swapon}};
  for (const Call& call : calls) {
    if (strcmp(call.name, name) != 0) continue;
    const long result = syscall(call.number, -1, 0, 0, 0, 0, 0);
    if (result < 0 && (errno == EPERM || errno == ENOSYS)) return Blocked();
    return Verdict(true);
  }
  return 2;
}

int CloneThree() {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  const long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) _exit(0);
  return Verdict(pid > 0);
}

void* Nothing(void*) { return nullptr; }

int StartThread() {
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, Nothing, nullptr);
  if (error == 0) pthread_join(thread, nullptr);
  errno = error;
  return Verdict(error == 0);
}

// A call by the 32-bit way in; its result is -errno on failure.
long Call32(long number, long first, long second) {
#if defined(__x86_64__)
  long result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "0"(number), "b"(first), "c"(second)
               : "memory", "r8", "r9", "r10", "r11");
  return static_cast<int32_t>(result);
#else
  return -ENOSYS;
#endif
}

int Socket32(int family) {
  // socketcall(SYS_SOCKET, arguments): its pointer has 32 bits.
  auto* arguments = static_cast<uint32_t*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  if (arguments == MAP_FAILED) return 2;
  arguments[0] = static_cast<uint32_t>(family);
  arguments[1] = SOCK_SEQPACKET;
  const long result = Call32(102, 1, static_cast<long>(reinterpret_cast<uintptr_t>(arguments)));
  errno = static_cast<int>(-result);
  return Verdict(result >= 0);
}

int OpenByHandle(const char* path) {
  const int mount = open(path, O_RDONLY | O_DIRECTORY);
  if (mount < 0) return Blocked();
  alignas(file_handle) char storage[sizeof(file_handle) + 8] = {};
  auto* handle = reinterpret_cast<file_handle*>(storage);
  handle->handle_bytes = 8;
  handle->handle_type = 1;  // FILEID_INO32_GEN, of inode 2
  storage[offsetof(file_handle, f_handle)] = 2;
  const int fd = open_by_handle_at(mount, handle, O_RDONLY);
  // ESTALE: it looked.
  return Verdict(fd >= 0 || errno == ESTALE || errno == EOPNOTSUPP);
}

int ConnectAbstract(const char* name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path + 1, name, sizeof address.sun_path - 2);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + strlen(name));
  return Verdict(connect(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
}

int PrintDescriptors() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return Blocked();
  for (dirent* entry; (entry = readdir(directory)) != nullptr;) {
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory)) continue;
    printf("%s ", entry->d_name);
  }
  puts("");
  return 0;
}

int PrintClocks() {
  timespec boot{};
  timespec monotonic{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  printf("%lld %lld\n", static_cast<long long>(boot.tv_sec),
         static_cast<long long>(monotonic.tv_sec));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const char* what = argv[1];
  const char* argument = argc > 2 ? argv[2] : "";
  if (strcmp(what, "double-chroot") == 0) return DoubleChroot(argument);
  if (strcmp(what, "write") == 0) return Verdict(open(argument, O_WRONLY) >= 0);
  if (strcmp(what, "mknod") == 0) return MakeDevice(atoi(argument), argc > 3 ? atoi(argv[3]) : 0);
  if (strcmp(what, "mount") == 0) return Verdict(mount("t", "/tmp", "tmpfs", 0, nullptr) == 0);
  if (strcmp(what, "unshare-user") == 0) {
    return Verdict(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
                   mount("t", "/tmp", "tmpfs", 0, nullptr) == 0);
  }
  if (strcmp(what, "cgroup-mount") == 0) {
    return Verdict(mount("c", "/tmp", "cgroup", 0, "memory") == 0);
  }
  if (strcmp(what, "call") == 0) return MakeCall(argument);
  if (strcmp(what, "clone3") == 0) return CloneThree();
  if (strcmp(what, "thread") == 0) return StartThread();
  if (strcmp(what, "socket") == 0) return Verdict(socket(atoi(argument), SOCK_SEQPACKET, 0) >= 0);
  if (strcmp(what, "socket32") == 0) return Socket32(atoi(argument));
  if (strcmp(what, "packet") == 0) {
    return Verdict(socket(AF_PACKET, SOCK_RAW, 0) >= 0 ||
                   socket(AF_INET, SOCK_RAW, IPPROTO_UDP) >= 0);
  }
  if (strcmp(what, "x32") == 0) return Verdict(syscall(0x40000000 + SYS_getpid) > 0);
  if (strcmp(what, "getpid32") == 0) return Verdict(Call32(20, 0, 0) > 0);
  if (strcmp(what, "handle") == 0) return OpenByHandle(argument);
  if (strcmp(what, "abstract") == 0) return ConnectAbstract(argument);
  if (strcmp(what, "type") == 0) return Verdict(ioctl(0, TIOCSTI, "x") == 0);
  if (strcmp(what, "ptrace") == 0) {
    return Verdict(ptrace(PTRACE_SEIZE, atoi(argument), nullptr, nullptr) == 0);
  }
  if (strcmp(what, "fds") == 0) return PrintDescriptors();
  if (strcmp(what, "clocks") == 0) return PrintClocks();
  if (strcmp(what, "signal") == 0) return Verdict(kill(atoi(argument), 0) == 0);
  if (strcmp(what, "euid") == 0) {
    printf("%u\n", geteuid());
    return 0;
  }
  return 2;
}
