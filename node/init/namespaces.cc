// The namespaces that a pod's containers share. cluster-init itself stays root of the node's user
// namespace; where the pod has one of its own, that owns all others, as the kernel asks before it
// lets a container's root mount, name or configure anything.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

constexpr unsigned kIdsOfPod = 65536;

// Holds namespaces open until somebody has entered them, or, as process 1 of the pod's pid
// namespace, for as long as cluster-init lives; there it reaps whom nobody waits for.
int Hold(void*) {
  signal(SIGCHLD, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  for (;;) pause();
}

pid_t CloneHolder(int flags, int* pidfd) {
  alignas(16) static char stack[16 * 1024];
  return clone(Hold, stack + sizeof stack, flags | CLONE_PIDFD | SIGCHLD, nullptr, pidfd);
}

int OpenOf(pid_t pid, const char* file, int flags) {
  TextBuffer<64> path;
  path.AddNumber(pid).Add("/").Add(file);
  const int fd = openat(pod_state.host_proc, path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) Die("open", path.c_str());
  return fd;
}

// user_namespaces(7)
void MapIds(pid_t pid, uint32_t first_id) {
  TextBuffer<64> map;
  map.Add("0 ").AddNumber(first_id).Add(" ").AddNumber(kIdsOfPod).Add("\n");
  for (const char* file : {"uid_map", "gid_map"}) {
    const int fd = OpenOf(pid, file, O_WRONLY);
    if (write(fd, map.c_str(), map.size()) < 0) Die("write", file);
    close(fd);
  }
}

void EnterByHolder(Pod* pod, int shared) {
  const PodOptions& options = pod->options;
  int flags = shared;
  if (options.has_users) flags |= CLONE_NEWUSER;
  if (options.shares_processes) {
    flags |= CLONE_NEWPID;
  } else {
    // Gone in a moment: not worth a copy of the memory.
    flags |= CLONE_VM;
  }
  int pidfd = -1;
  const pid_t holder = CloneHolder(flags, &pidfd);
  if (holder < 0) Die("clone", "the pod's namespaces");
  if (options.has_users) {
    pod->user_namespace = OpenOf(holder, "ns/user", O_RDONLY);
    MapIds(holder, options.first_id);
  }
  if (options.shares_processes) pod->pid_namespace = OpenOf(holder, "ns/pid", O_RDONLY);
  if (shared != 0 && setns(pidfd, shared) != 0) Die("enter", "the pod's namespaces");
  close(pidfd);
  if (options.shares_processes) return;
  kill(holder, SIGKILL);
  while (waitpid(holder, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

// One /dev/shm for all containers of the pod, as they share its ipc namespace.
void MakeSharedMemory(Pod* pod) {
  const int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
  TextBuffer<16> owner;
  owner.AddNumber(pod->options.first_id);
  if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "1777", 0) != 0 ||
      fsconfig(fs, FSCONFIG_SET_STRING, "size", "67108864", 0) != 0 ||
      fsconfig(fs, FSCONFIG_SET_STRING, "uid", owner.c_str(), 0) != 0 ||
      fsconfig(fs, FSCONFIG_SET_STRING, "gid", owner.c_str(), 0) != 0 ||
      fsconfig(fs, FSCONFIG_SET_STRING, "source", "shm", 0) != 0 ||
      fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    Die("make", "the pod's /dev/shm");
  }
  pod->shm = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (pod->shm < 0) Die("mount", "the pod's /dev/shm");
  close(fs);
}

// Kernels before 6.15 clone no mount that is attached nowhere: there it stands on the /dev/shm of a
// mount namespace of cluster-init's own, which goes on to see what the node mounts.
void AttachWhereItCannotBeCloned(Pod* pod) {
  const int clone = open_tree(pod->shm, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (clone >= 0) {
    close(clone);
    return;
  }
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0 ||
      move_mount(pod->shm, "", AT_FDCWD, "/dev/shm", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    Die("attach", "the pod's /dev/shm");
  }
  CloseFd(&pod->shm);
}

bool WriteAsNow(const char* path, const char* value) {
  const int fd = OpenAt2(pod_state.host_proc, path, O_WRONLY, RESOLVE_BENEATH);
  if (fd < 0) return false;
  const bool written = write(fd, value, strlen(value)) >= 0;
  const int error = errno;
  close(fd);
  errno = error;
  return written;
}

// A pod's ports and pings are its own business; both belong to the new network namespace.
void OpenLowPorts() {
  const char* const settings[][2] = {{"net.ipv4.ip_unprivileged_port_start", "0"},
                                     {"net.ipv4.ping_group_range", "0 2147483647"}};
  for (const auto& [name, value] : settings) {
    if (!WriteSysctl(name, value)) Complain("set sysctl", name, errno);
  }
}

}  // namespace

void MakePodNamespaces(Pod* pod) {
  const PodOptions& options = pod->options;
  int shared = CLONE_NEWUTS;
  if (!options.node_network) shared |= CLONE_NEWNET;
  if (!options.node_ipc) shared |= CLONE_NEWIPC;
  if (options.has_users || options.shares_processes) {
    EnterByHolder(pod, shared);
  } else if (unshare(shared) != 0) {
    Die("unshare", "net, ipc, uts");
  }
  pod->net_namespace = openat(pod->host_proc, "self/ns/net", O_RDONLY | O_CLOEXEC);
  if (pod->net_namespace < 0) Die("open", "network namespace");
  if (!options.node_ipc) {
    MakeSharedMemory(pod);
    AttachWhereItCannotBeCloned(pod);
  }
  if (!options.node_network) OpenLowPorts();
}

// Settings of an ipc namespace belong to the root of its user namespace, and to nobody above: not
// even to the node's root. Those of a network namespace can be written by whoever administers it.
bool WriteSysctl(const char* name, const char* value) {
  TextBuffer<256> path;
  path.Add("sys/");
  for (const char* at = name; *at != 0; ++at) {
    const char swapped = *at == '.' ? '/' : *at == '/' ? '.' : *at;
    path.Add(&swapped, 1);
  }
  if (WriteAsNow(path.c_str(), value)) return true;
  if ((errno != EACCES && errno != EPERM) || !pod_state.options.has_users) return false;
  if (seteuid(pod_state.options.first_id) != 0) return false;
  const bool written = WriteAsNow(path.c_str(), value);
  const int error = errno;
  if (seteuid(0) != 0) Die("become root again after", name);
  errno = error;
  return written;
}

void Die(const char* what, const char* object) {
  Complain(what, object, errno);
  _exit(1);
}

}  // namespace cluster::init
