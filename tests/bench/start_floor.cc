// What the kernel alone takes for a container with network: clone3 with its namespaces, a veth pair
// into a bridge with address and route, overlay, the usual mounts, pivot_root, exec. Nothing is
// checked twice, nothing is recorded, limited, masked or cleaned on the way: the limit that a
// runtime can come near to.
//
//   start_floor LAYER SCRATCH BRIDGE_INDEX
//
// For every line on stdin one round; answers with the nanoseconds from the start to the probe's
// first instruction. Small and static, so that forking it costs next to nothing.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
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

// The pair with its far end born in the child's namespace, in one message.
void MakeVeth(int netlink, const char* name, uint32_t bridge, uint32_t pid) {
  Packet packet = Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  ifinfomsg link{};
  link.ifi_flags = IFF_UP;
  link.ifi_change = IFF_UP;
  packet.Add(&link, sizeof link);
  packet.Put(IFLA_IFNAME, name, strlen(name) + 1);
  packet.Put(IFLA_MASTER, &bridge, sizeof bridge);
  const size_t info = packet.Open(IFLA_LINKINFO);
  packet.Put(IFLA_INFO_KIND, "veth", 4);
  const size_t data = packet.Open(IFLA_INFO_DATA);
  const size_t peer = packet.Open(VETH_INFO_PEER);
  // A veth cannot be up before both of its ends are there.
  const ifinfomsg down{};
  packet.Add(&down, sizeof down);
  packet.Put(IFLA_IFNAME, "eth0", 5);
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

[[noreturn]] void Child(const char* layer, const char* scratch, int go, int out) {
  char byte;
  if (read(go, &byte, 1) != 1) _exit(1);
  ConfigureNetwork();
  Mount(nullptr, "/", MS_REC | MS_PRIVATE, nullptr);
  char options[4096];
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,volatile", layer,
           scratch, scratch);
  char root[1024];
  snprintf(root, sizeof root, "%s/root", scratch);
  Mount("overlay", root, 0, options);
  if (chdir(root) != 0) Die(root);
  Mount("proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  Mount("tmpfs", "dev", MS_NOSUID, "mode=755");
  const struct {
    const char* path;
    unsigned number;
  } devices[] = {
      {"dev/null", 3}, {"dev/zero", 5}, {"dev/full", 7}, {"dev/random", 8}, {"dev/urandom", 9}};
  for (const auto& device : devices) {
    if (mknod(device.path, S_IFCHR | 0666, makedev(1, device.number)) != 0) Die(device.path);
  }
  for (const char* path : {"dev/pts", "dev/shm", "dev/mqueue"}) mkdir(path, 0755);
  Mount("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666");
  Mount("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, nullptr);
  Mount("mqueue", "dev/mqueue", MS_NOSUID | MS_NODEV, nullptr);
  Mount("sysfs", "sys", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  if (syscall(SYS_pivot_root, ".", ".") != 0) Die("pivot_root");
  if (umount2(".", MNT_DETACH) != 0) Die("detach");
  if (chdir("/") != 0) Die("chdir");
  dup2(out, 1);
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
  int go[2];
  int out[2];
  if (pipe2(go, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) Die("pipe");
  char name[16];
  snprintf(name, sizeof name, "vf%d", number);

  const int64_t start = Now();
  clone_args args{};
  args.flags =
      CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  args.exit_signal = SIGCHLD;
  const pid_t pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) Die("clone3");
  if (pid == 0) Child(layer, scratch, go[0], out[1]);
  MakeVeth(netlink, name, bridge, static_cast<uint32_t>(pid));
  if (write(go[1], "g", 1) != 1) Die("write");
  close(out[1]);
  char text[64] = {};
  if (read(out[0], text, sizeof text - 1) <= 0) Die("the probe said nothing");
  waitpid(pid, nullptr, 0);
  close(out[0]);
  close(go[0]);
  close(go[1]);
  return atoll(text) - start;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    errno = EINVAL;
    Die("LAYER SCRATCH BRIDGE_INDEX");
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
