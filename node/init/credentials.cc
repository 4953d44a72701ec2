#include "node/init/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "node/init/child_report.h"
#include "node/init/sys.h"

namespace cluster::init {
namespace {

// -1 when the image has no such regular file. O_NONBLOCK: a FIFO in its place must not hold us.
int OpenAccountFile(int root, const char* path) {
  const int fd = OpenAt2(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT);
  if (fd < 0) return -1;
  struct stat info {};
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return fd;
  close(fd);
  return -1;
}

void SetCapabilities(uint64_t permitted, uint64_t effective, int channel) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) Fail(channel, "capget", "", errno);
  for (int half = 0; half < 2; ++half) {
    data[half].permitted &= static_cast<uint32_t>(permitted >> (32 * half));
    data[half].effective = data[half].permitted & static_cast<uint32_t>(effective >> (32 * half));
    data[half].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, data) != 0) Fail(channel, "capset", "", errno);
}

void DropBoundingSet(uint64_t kept, int channel) {
  for (int capability = 0; capability < 64; ++capability) {
    if ((kept >> capability & 1) != 0) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;  // this kernel's last capability is behind us
    Fail(channel, "drop", "capability", errno);
  }
}

void DieWithParent(int channel) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
    Fail(channel, "set parent death signal", "", errno);
  }
  // It may have died before: then nobody holds the other end of the channel any more.
  pollfd other{channel, 0, 0};
  if (poll(&other, 1, 0) > 0 && (other.revents & (POLLHUP | POLLERR)) != 0) _exit(128 + SIGKILL);
}

// seccomp(2). Without SPEC_ALLOW the kernel would turn off what the processor predicts.
void LoadFilter(const Launch& launch, int channel) {
  if (launch.filter_size == 0) return;
  static sock_filter program[BPF_MAXINSNS];
  if (launch.filter_size > sizeof program || launch.filter_size % sizeof program[0] != 0) {
    Fail(channel, "the system call filter is no program", "", 0);
  }
  memcpy(program, launch.filter, launch.filter_size);
  const sock_fprog wanted{static_cast<unsigned short>(launch.filter_size / sizeof program[0]),
                          program};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &wanted) != 0) {
    Fail(channel, "load the system call filter", "", errno);
  }
}

void AddGroup(UserIds* user, uint32_t group, int channel) {
  for (size_t i = 0; i < user->group_count; ++i) {
    if (user->groups[i] == group) return;
  }
  if (user->group_count == kMaxGroups) Fail(channel, "the user is in more than 256 groups", "", 0);
  user->groups[user->group_count++] = group;
}

}  // namespace

void ResolveUser(int root, const Launch& launch, UserIds* out, int channel) {
  const int passwd = OpenAccountFile(root, "/etc/passwd");
  const int group = OpenAccountFile(root, "/etc/group");
  const char* problem = LookUpUser(launch.user, passwd, group, out);
  if (problem != nullptr) Fail(channel, problem, launch.user, 0);
  if (passwd >= 0) close(passwd);
  if (group >= 0) close(group);
  if ((launch.flags & kMustNotBeRoot) != 0 && out->uid == 0) {
    Fail(channel, "it must not run as root (runAsNonRoot), but its user is 0:", launch.user, 0);
  }
  if ((launch.flags & kSetGid) != 0) out->gid = launch.gid;
  if ((launch.flags & kOnlyListedGroups) != 0) out->group_count = 0;
  for (size_t i = 0; i < launch.group_count; ++i) AddGroup(out, launch.groups[i], channel);
}

void BecomeNamespaceRoot(int channel) {
  if (setgroups(0, nullptr) != 0) Fail(channel, "setgroups", "", errno);
  if (syscall(SYS_setresgid, 0, 0, 0) != 0) Fail(channel, "setresgid", "0", errno);
  if (syscall(SYS_setresuid, 0, 0, 0) != 0) Fail(channel, "setresuid", "0", errno);
  // A change of ids sets it to what fs.suid_dumpable says.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) Fail(channel, "clear", "dumpable", errno);
}

void BecomeUser(const UserIds& user, const Launch& launch, int channel) {
  const bool no_new_privileges = (launch.flags & kNoNewPrivileges) != 0;
  const uint64_t everything = ~uint64_t{0};
  DropBoundingSet(launch.capabilities, channel);
  if (setgroups(user.group_count, user.groups) != 0) Fail(channel, "setgroups", "", errno);
  if (syscall(SYS_setresgid, user.gid, user.gid, user.gid) != 0)
    Fail(channel, "setresgid", "", errno);
  // Without no_new_privs only CAP_SYS_ADMIN may load a filter, so it is kept until that is done.
  if (!no_new_privileges && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
    Fail(channel, "keep", "capabilities", errno);
  }
  if (syscall(SYS_setresuid, user.uid, user.uid, user.uid) != 0)
    Fail(channel, "setresuid", "", errno);
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    Fail(channel, "clear ambient capabilities", "", errno);
  }
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) Fail(channel, "clear", "dumpable", errno);
  // A change of ids would take it away again; lowering capabilities does not.
  DieWithParent(channel);
  if (!no_new_privileges) {
    SetCapabilities(everything, everything, channel);
    LoadFilter(launch, channel);
  }
  const uint64_t own = user.uid == 0 ? launch.capabilities : 0;
  SetCapabilities(own, own, channel);
  if (!no_new_privileges) return;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Fail(channel, "set no_new_privs", "", errno);
  LoadFilter(launch, channel);
}

}  // namespace cluster::init
