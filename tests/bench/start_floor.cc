// What the kernel alone takes for a container with network: clone3 with its namespaces, a veth pair
// into a bridge with address and route, overlay, the usual mounts, pivot_root, exec. Nothing is
// checked twice, nothing is recorded, limited, masked or cleaned on the way: the limit that a
// runtime can come near to.
//
//   start_floor LAYER SCRATCH BRIDGE_INDEX [FILTER]
//
// For every line on stdin one round; answers with the nanoseconds from the start to the probe's
// first instruction. With FILTER, a file of BPF instructions for seccomp(2), it is a container with
// a user namespace, too: the layer is seen through an idmapped mount, overlay and /dev are made
// outside, and the filter is installed last. Small and static, so that forking it costs next to
// nothing.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>

namespace {

[[noreturn]] void Die(const char* what) {
  fprintf(stderr, "start_floor: %s: %s\n", what, strerror(errno));
  _exit(1);
}

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

struct Packet {
  alignas(nlmsghdr) char bytes[512] = {};
  size_t size = 0;

  void* Add(const void* data, size_t count) {
    void* at = bytes + size;
    memcpy(at, data, count);
    size += NLMSG_ALIGN(count);
    return at;
  }
  size_t Open(uint16_t type) {
    const size_t at = size;
    const rtattr header{0, type};
    Add(&header, sizeof header);
    return at;
  }
  void Close(size_t at) {
    reinterpret_cast<rtattr*>(bytes + at)->rta_len = static_cast<uint16_t>(size - at);
  }
  void Put(uint16_t type, const void* data, size_t count) {
    const size_t at = Open(type);
    Add(data, count);
    reinterpret_cast<rtattr*>(bytes + at)->rta_len = static_cast<uint16_t>(RTA_LENGTH(count));
  }
};

// One request and its answer.
void Talk(int netlink, Packet* packet, const char* what) {
  reinterpret_cast<nlmsghdr*>(packet->bytes)->nlmsg_len = static_cast<uint32_t>(packet->size);
  if (send(netlink, packet->bytes, packet->size, 0) < 0) Die(what);
  char answer[1024];
  if (recv(netlink, answer, sizeof answer, 0) < 0) Die(what);
  const auto* error = reinterpret_cast<nlmsgerr*>(NLMSG_DATA(reinterpret_cast<nlmsghdr*>(answer)));
  if (error->error == 0) return;
  errno = -error->error;
  Die(what);
}

Packet Request(uint16_t type, uint16_t flags) {
  Packet packet;
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  packet.Add(&header, sizeof header);
  return packet;
}

// The kernel waits for grace periods where it has to take other queues out of use.
void PutOneQueue(Packet* packet) {
  const uint32_t one = 1;
  packet->Put(IFLA_NUM_TX_QUEUES, &one, sizeof one);
  packet->Put(IFLA_NUM_RX_QUEUES, &one, sizeof one);
}

// The pair with its far end born in the child's namespace, in one message.
void MakeVeth(int netlink, const char* name, uint32_t bridge, uint32_t pid) {
  Packet packet = Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  ifinfomsg link{};
  link.ifi_flags = IFF_UP;
  link.ifi_change = IFF_UP;
  packet.Add(&link, sizeof link);
  packet.Put(IFLA_IFNAME, name, strlen(name) + 1);
  packet.Put(IFLA_MASTER, &bridge, sizeof bridge);
  PutOneQueue(&packet);
  const size_t info = packet.Open(IFLA_LINKINFO);
  packet.Put(IFLA_INFO_KIND, "veth", 4);
  const size_t data = packet.Open(IFLA_INFO_DATA);
  const size_t peer = packet.Open(VETH_INFO_PEER);
  // A veth cannot be up before both of its ends are there.
  const ifinfomsg down{};
  packet.Add(&down, sizeof down);
  packet.Put(IFLA_IFNAME, "eth0", 5);
  PutOneQueue(&packet);
  packet.Put(IFLA_NET_NS_PID, &pid, sizeof pid);
  packet.Close(peer);
  packet.Close(data);
  packet.Close(info);
  Talk(netlink, &packet, "make veth");
}

// Inside: lo and eth0 up, an address, the way out.
void ConfigureNetwork() {
  const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) Die("netlink");
  const unsigned eth0 = if_nametoindex("eth0");
  const uint32_t address = htonl(0x0a400064);
  const uint32_t gateway = htonl(0x0a400001);
  Packet packet = Request(RTM_NEWADDR, NLM_F_CREATE);
  ifaddrmsg address_header{AF_INET, 22, 0, 0, eth0};
  packet.Add(&address_header, sizeof address_header);
  packet.Put(IFA_LOCAL, &address, 4);
  Talk(netlink, &packet, "address");
  for (const unsigned index : {1u, eth0}) {
    packet = Request(RTM_NEWLINK, 0);
    ifinfomsg link{};
    link.ifi_index = static_cast<int>(index);
    link.ifi_flags = link.ifi_change = IFF_UP;
    packet.Add(&link, sizeof link);
    Talk(netlink, &packet, "up");
  }
  packet = Request(RTM_NEWROUTE, NLM_F_CREATE);
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_type = RTN_UNICAST;
  packet.Add(&route, sizeof route);
  packet.Put(RTA_GATEWAY, &gateway, 4);
  Talk(netlink, &packet, "route");
  close(netlink);
}

void Mount(const char* type, const char* target, unsigned long flags, const char* data) {
  if (mount(type, target, type, flags, data) != 0) Die(target);
}

constexpr unsigned kFirstId = 0x40000000;

constexpr struct {
  const char* name;
  unsigned number;
} kDevices[] = {{"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}};
constexpr const char* kDevDirectories[] = {"pts", "shm", "mqueue"};

// ---- What the node makes for a container that has users of its own ----

int Detached(const char* type, std::initializer_list<const char* const*> options, int* fds) {
  const int fs = fsopen(type, FSOPEN_CLOEXEC);
  if (fs < 0) Die(type);
  for (const char* const* option : options) {
    const int done = fds == nullptr ? fsconfig(fs, FSCONFIG_SET_STRING, option[0], option[1], 0)
                                    : fsconfig(fs, FSCONFIG_SET_FD, option[0], nullptr, *fds++);
    if (done != 0) Die(option[0]);
  }
  if (fds != nullptr && fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", nullptr, 0) != 0) {
    Die("volatile");
  }
  if (fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) Die(type);
  const int made = fsmount(fs, FSMOUNT_CLOEXEC, 0);
  if (made < 0) Die(type);
  close(fs);
  return made;
}

// `seen` gets the mapped layer, whose end the kernel would wait for.
int MappedOverlay(const char* layer, const char* scratch, int users, int* seen) {
  int parts[3];
  parts[0] = open_tree(AT_FDCWD, layer, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  mount_attr mapped{};
  mapped.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;
  mapped.userns_fd = static_cast<uint64_t>(users);
  if (mount_setattr(parts[0], "", AT_EMPTY_PATH, &mapped, sizeof mapped) != 0) Die("map ids");
  const int directory = open(scratch, O_PATH | O_DIRECTORY | O_CLOEXEC);
  parts[1] = openat(directory, "upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
  parts[2] = openat(directory, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const char* const lower[] = {"lowerdir+"};
  const char* const upper[] = {"upperdir"};
  const char* const work[] = {"workdir"};
  const int root = Detached("overlay", {lower, upper, work}, parts);
  *seen = parts[0];
  close(directory);
  close(parts[1]);
  close(parts[2]);
  return root;
}

int MappedDev() {
  const char* const mode[] = {"mode", "755"};
  const char* const uid[] = {"uid", "1073741824"};
  const char* const gid[] = {"gid", "1073741824"};
  const int dev = Detached("tmpfs", {mode, uid, gid}, nullptr);
  for (const auto& device : kDevices) {
    if (mknodat(dev, device.name, S_IFCHR | 0666, makedev(1, device.number)) != 0 ||
        fchownat(dev, device.name, kFirstId, kFirstId, 0) != 0) {
      Die(device.name);
    }
  }
  for (const char* name : kDevDirectories) mkdirat(dev, name, 0755);
  return dev;
}

void MapIds(pid_t pid) {
  for (const char* file : {"uid_map", "gid_map"}) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    char map[64];
    const int length = snprintf(map, sizeof map, "0 %u 65536", kFirstId);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, map, static_cast<size_t>(length)) != length) Die(path);
    close(fd);
  }
}

// The go-ahead, with what was made for it.
void Send(int socket, const int* fds, size_t count) {
  char byte = 'g';
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  if (sendmsg(socket, &message, 0) != 1) Die("go");
}

void Receive(int socket, int* fds, size_t count) {
  char byte;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) _exit(1);
  if (count > 0) memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), count * sizeof(int));
}

// ---- The container's process ----

struct Filter {
  sock_filter code[4096];
  sock_fprog program;
} filter;
bool has_users = false;

void InstallFilter() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
              &filter.program) != 0) {
    Die("seccomp");
  }
}

// Both of them detached until now.
void AttachMade(const int made[2]) {
  if (move_mount(made[0], "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) Die("attach root");
  if (fchdir(made[0]) != 0) Die("root");
  Mount("proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  if (move_mount(made[1], "", AT_FDCWD, "dev", MOVE_MOUNT_F_EMPTY_PATH) != 0) Die("attach dev");
}

void MakeRoot(const char* layer, const char* scratch) {
  char options[4096];
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,volatile", layer,
           scratch, scratch);
  char root[1024];
  snprintf(root, sizeof root, "%s/root", scratch);
  Mount("overlay", root, 0, options);
  if (chdir(root) != 0) Die(root);
  Mount("proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  Mount("tmpfs", "dev", MS_NOSUID, "mode=755");
  if (chdir("dev") != 0) Die("dev");
  for (const auto& device : kDevices) {
    if (mknod(device.name, S_IFCHR | 0666, makedev(1, device.number)) != 0) Die(device.name);
  }
  for (const char* name : kDevDirectories) mkdir(name, 0755);
  if (chdir("..") != 0) Die("..");
}

[[noreturn]] void Child(const char* layer, const char* scratch, int go, int out) {
  int made[2];
  Receive(go, made, has_users ? 2 : 0);
  if (has_users && (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)) Die("become root");
  ConfigureNetwork();
  Mount(nullptr, "/", MS_REC | MS_PRIVATE, nullptr);
  if (has_users) {
    AttachMade(made);
  } else {
    MakeRoot(layer, scratch);
  }
  Mount("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666");
  Mount("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, nullptr);
  Mount("mqueue", "dev/mqueue", MS_NOSUID | MS_NODEV, nullptr);
  Mount("sysfs", "sys", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  if (syscall(SYS_pivot_root, ".", ".") != 0) Die("pivot_root");
  if (umount2(".", MNT_DETACH) != 0) Die("detach");
  if (chdir("/") != 0) Die("chdir");
  dup2(out, 1);
  if (has_users) InstallFilter();
  char* const argv[] = {const_cast<char*>("/probe"), nullptr};
  execve("/probe", argv, argv + 1);
  Die("exec /probe");
}

int64_t Round(const char* layer, const char* base, uint32_t bridge, int netlink, int number) {
  char scratch[512];
  snprintf(scratch, sizeof scratch, "%s/%d", base, number);
  mkdir(scratch, 0755);
  for (const char* part : {"upper", "work", "root"}) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", scratch, part);
    mkdir(path, 0755);
  }
  if (has_users) {
    char path[600];
    snprintf(path, sizeof path, "%s/upper", scratch);
    if (chown(path, kFirstId, kFirstId) != 0) Die(path);
  }
  int go[2];
  int out[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, go) != 0 ||
      pipe2(out, O_CLOEXEC) != 0) {
    Die("pipe");
  }
  char name[16];
  snprintf(name, sizeof name, "%s%d", has_users ? "vu" : "vf", number);

  const int64_t start = Now();
  clone_args args{};
  args.flags =
      CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (has_users) args.flags |= CLONE_NEWUSER;
  args.exit_signal = SIGCHLD;
  const pid_t pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) Die("clone3");
  if (pid == 0) Child(layer, scratch, go[0], out[1]);
  int made[2] = {-1, -1};
  int mapped_layer = -1;
  if (has_users) MapIds(pid);
  MakeVeth(netlink, name, bridge, static_cast<uint32_t>(pid));
  if (has_users) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    const int users = open(path, O_RDONLY | O_CLOEXEC);
    made[0] = MappedOverlay(layer, scratch, users, &mapped_layer);
    made[1] = MappedDev();
    close(users);
  }
  Send(go[1], made, has_users ? 2 : 0);
  close(out[1]);
  char text[64] = {};
  if (read(out[0], text, sizeof text - 1) <= 0) Die("the probe said nothing");
  waitpid(pid, nullptr, 0);
  for (const int fd : {out[0], go[0], go[1], made[0], made[1], mapped_layer}) {
    if (fd >= 0) close(fd);
  }
  return atoll(text) - start;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    errno = EINVAL;
    Die("LAYER SCRATCH BRIDGE_INDEX [FILTER]");
  }
  if (argc == 5) {
    const int file = open(argv[4], O_RDONLY | O_CLOEXEC);
    const ssize_t size = read(file, filter.code, sizeof filter.code);
    if (size <= 0) Die(argv[4]);
    filter.program.len =
        static_cast<unsigned short>(static_cast<size_t>(size) / sizeof(sock_filter));
    filter.program.filter = filter.code;
    close(file);
    has_users = true;
  }
  const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) Die("netlink");
  char line[16];
  for (int number = 0; fgets(line, sizeof line, stdin) != nullptr; ++number) {
    printf("%lld\n", static_cast<long long>(Round(
                         argv[1], argv[2], static_cast<uint32_t>(atoi(argv[3])), netlink, number)));
    fflush(stdout);
  }
  return 0;
}
