#include <linux/capability.h>

#include <cerrno>
#include <initializer_list>

#include "absl/strings/str_split.h"

#include "node/seccomp/profile.h"

namespace cluster::node {
namespace {

// Names that a machine does not have count for nothing.
constexpr char kAllowed[] =
    // Files, directories and what is known of them.
    "access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 "
    "faccessat "
    "faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 "
    "fchown "
    "fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr file_getattr file_setattr flistxattr "
    "flock "
    "fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 "
    "futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch lchown lchown32 lgetxattr link linkat listxattr listxattrat "
    "llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat "
    "name_to_handle_at newfstatat oldfstat oldlstat oldolduname oldstat olduname open openat "
    "openat2 "
    "pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat "
    "readv "
    "removexattr removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr "
    "setxattrat "
    "splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range "
    "sync_file_range2 "
    "arm_sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat "
    "utimensat_time64 utimes vmsplice write writev cachestat "
    // Waiting for them.
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
    "epoll_wait_old eventfd eventfd2 io_cancel io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 io_setup io_submit ioctl _newselect pipe pipe2 poll ppoll ppoll_time64 "
    "pselect6 pselect6_time64 select signalfd signalfd4 "
    // Memory.
    "arm_fadvise64_64 brk cacheflush futex futex_requeue futex_time64 futex_wait futex_waitv "
    "futex_wake get_robust_list madvise map_shadow_stack membarrier memfd_create memfd_secret "
    "mincore "
    "mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap "
    "pkey_alloc "
    "pkey_free pkey_mprotect process_mrelease remap_file_pages set_robust_list "
    // Processes, threads, signals.
    "alarm arch_prctl breakpoint capget capset execve execveat exit exit_group fork getcpu getegid "
    "getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpgid getpgrp "
    "getpid "
    "getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit get_thread_area "
    "getrusage "
    "getsid gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule "
    "landlock_create_ruleset "
    "landlock_restrict_self lsm_get_self_attr lsm_list_modules lsm_set_self_attr modify_ldt nice "
    "pause "
    "pidfd_open pidfd_send_signal prctl prlimit64 ptrace restart_syscall rseq rt_sigaction "
    "rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 "
    "rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam sched_get_priority_max "
    "sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
    "sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp "
    "setfsgid "
    "setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid "
    "setpriority "
    "setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit "
    "set_thread_area setsid set_tid_address set_tls setuid setuid32 sgetmask sigaction sigaltstack "
    "signal sigpending sigprocmask sigreturn sigsuspend ssetmask tgkill tkill uretprobe ugetrlimit "
    "vfork "
    "wait4 waitid waitpid "
    // Sockets (socket itself comes below).
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg "
    "recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair "
    // Messages, semaphores, shared memory.
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
    "semtimedop_time64 shmat shmctl shmdt shmget "
    // Time.
    "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 gettimeofday nanosleep time "
    "timer_create "
    "timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times "
    // The machine.
    "getrandom sysinfo uname";

// Known, and no business of a container's, whatever capabilities it has: each was the way into the
// kernel of somebody's machine, or changes the machine.
constexpr char kDenied[] =
    "add_key keyctl request_key io_uring_enter io_uring_register io_uring_setup userfaultfd "
    "kexec_load "
    "kexec_file_load swapon swapoff pivot_root create_module get_kernel_syms query_module "
    "nfsservctl "
    "uselib ustat sysfs _sysctl vm86 vm86old socketcall";

struct Grant {
  int capability;
  const char* names;
};

// Allowed with the capability that the kernel asks for anyway, EPERM without.
constexpr Grant kGrants[] = {
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"},
    {CAP_SYS_ADMIN,
     "bpf fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount "
     "mount_setattr "
     "move_mount open_tree open_tree_attr perf_event_open quotactl quotactl_fd setdomainname "
     "sethostname setns statmount syslog umount umount2 unshare"},
    {CAP_SYS_BOOT, "reboot"},
    {CAP_SYS_CHROOT, "chroot"},
    {CAP_SYS_MODULE, "delete_module init_module finit_module"},
    {CAP_SYS_PACCT, "acct"},
    {CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev"},
    {CAP_SYS_RAWIO, "iopl ioperm"},
    {CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64"},
    {CAP_SYS_TTY_CONFIG, "vhangup"},
    {CAP_SYS_NICE,
     "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node"},
    {CAP_SYSLOG, "syslog"},
    {CAP_BPF, "bpf"},
    {CAP_PERFMON, "perf_event_open"},
};

constexpr FilterVerdict kAllow{FilterAction::kAllow, 0};
constexpr FilterVerdict kEperm{FilterAction::kErrno, EPERM};
constexpr FilterVerdict kEnosys{FilterAction::kErrno, ENOSYS};

constexpr uint64_t Bit(int capability) { return uint64_t{1} << capability; }

SyscallRule Rule(const char* names, FilterVerdict verdict) {
  SyscallRule rule;
  rule.names = absl::StrSplit(names, ' ');
  rule.verdict = verdict;
  return rule;
}

void Add(SeccompProfile* profile, const char* names, FilterVerdict verdict, ArgumentRule argument) {
  SyscallRule rule = Rule(names, verdict);
  rule.arguments = {argument};
  profile->rules.push_back(std::move(rule));
}

// clone without a new namespace; with CAP_SYS_ADMIN any. clone3 hides its flags behind a pointer:
// ENOSYS makes C libraries use clone.
void AddClone(SeccompProfile* profile) {
  constexpr uint64_t kNamespaces = 0x7e020000;
  Add(profile, "clone", kAllow, {0, ArgumentTest::kMaskedEqual, kNamespaces, 0});
  SyscallRule any = Rule("clone clone3", kAllow);
  any.includes.capabilities = Bit(CAP_SYS_ADMIN);
  profile->rules.push_back(std::move(any));
  for (const auto& [name, verdict] : {std::pair{"clone", kEperm}, std::pair{"clone3", kEnosys}}) {
    SyscallRule none = Rule(name, verdict);
    none.excludes.capabilities = Bit(CAP_SYS_ADMIN);
    profile->rules.push_back(std::move(none));
  }
}

// All families but AF_ALG (38) and AF_VSOCK (40), which reach kernel code and neighbours that no
// namespace divides.
void AddSocket(SeccompProfile* profile) {
  Add(profile, "socket", kAllow, {0, ArgumentTest::kLess, 38, 0});
  Add(profile, "socket", kAllow, {0, ArgumentTest::kEqual, 39, 0});
  Add(profile, "socket", kAllow, {0, ArgumentTest::kGreater, 40, 0});
  profile->rules.push_back(Rule("socket", kEperm));
}

// The ones that only change how addresses and the kernel's version look.
void AddPersonality(SeccompProfile* profile) {
  for (const uint64_t persona :
       std::initializer_list<uint64_t>{0, 8, 0x20000, 0x20008, 0xffffffff}) {
    Add(profile, "personality", kAllow, {0, ArgumentTest::kEqual, persona, 0});
  }
  profile->rules.push_back(Rule("personality", kEperm));
}

void AddGrants(SeccompProfile* profile) {
  for (const Grant& grant : kGrants) {
    SyscallRule rule = Rule(grant.names, kAllow);
    rule.includes.capabilities = Bit(grant.capability);
    profile->rules.push_back(std::move(rule));
  }
  for (const Grant& grant : kGrants) profile->rules.push_back(Rule(grant.names, kEperm));
}

}  // namespace

SeccompProfile DefaultProfile() {
  SeccompProfile profile;
  profile.otherwise = kEnosys;
#if defined(__x86_64__)
  profile.arches = {FilterArch::kX86_64, FilterArch::kX86};
#elif defined(__aarch64__)
  profile.arches = {FilterArch::kAarch64, FilterArch::kArm};
#endif
  profile.rules.push_back(Rule(kAllowed, kAllow));
  AddClone(&profile);
  AddSocket(&profile);
  AddPersonality(&profile);
  AddGrants(&profile);
  profile.rules.push_back(Rule(kDenied, kEperm));
  return profile;
}

}  // namespace cluster::node
