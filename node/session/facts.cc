#include "node/session/facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/status.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

// Kept back for the kernel, the agent and the pods' keepers.
constexpr int64_t kReservedCpuMilli = 50;

std::string Trimmed(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(*text)) : std::string();
}

// PRETTY_NAME of os-release(5).
std::string OsImage() {
  const absl::StatusOr<std::string> text = ReadFile("/etc/os-release");
  if (!text.ok()) return "";
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::ConsumePrefix(&line, "PRETTY_NAME=")) continue;
    absl::ConsumePrefix(&line, "\"");
    absl::ConsumeSuffix(&line, "\"");
    return std::string(line);
  }
  return "";
}

std::string Architecture(absl::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return std::string(machine);
}

void FillResources(const FactsOptions& options, v1::NodeStatus* status) {
  const int64_t cpu = std::max<int64_t>(1, ::sysconf(_SC_NPROCESSORS_ONLN)) * 1000;
  const int64_t memory = MachineMemory();
  auto& capacity = *status->mutable_capacity();
  auto& allocatable = *status->mutable_allocatable();
  capacity["cpu"] = FormatMilli(cpu);
  allocatable["cpu"] = FormatMilli(cpu - kReservedCpuMilli);
  capacity["memory"] = FormatBytes(memory);
  // Memory in huge pages is nobody's as ordinary memory.
  int64_t usable_memory = memory - kReservedMemory - options.kept_memory;
  for (const auto& [page, pages] : options.hugepages) {
    const std::string name = absl::StrCat("hugepages-", FormatBytes(page));
    capacity[name] = allocatable[name] = FormatBytes(page * pages);
    usable_memory -= page * pages;
  }
  allocatable["memory"] = FormatBytes(std::max<int64_t>(0, usable_memory));
  capacity["pods"] = allocatable["pods"] = FormatCount(kMaxPods);
  for (const auto& [name, count] : options.devices) {
    capacity[name] = allocatable[name] = FormatCount(count);
  }
  struct statvfs disk {};
  if (::statvfs(options.state_dir.c_str(), &disk) != 0) return;
  const auto block = static_cast<int64_t>(disk.f_frsize);
  capacity["ephemeral-storage"] = FormatBytes(static_cast<int64_t>(disk.f_blocks) * block);
  // What root keeps for itself is not for pods.
  const auto usable = static_cast<int64_t>(disk.f_blocks - (disk.f_bfree - disk.f_bavail));
  allocatable["ephemeral-storage"] = FormatBytes(usable * block);
}

void AddAddress(const char* type, const std::string& address, v1::NodeStatus* status) {
  if (address.empty()) return;
  v1::NodeAddress* added = status->add_addresses();
  added->set_type(type);
  added->set_address(address);
}

}  // namespace

int64_t MachineMemory() {
  const absl::StatusOr<std::string> text = ReadFile("/proc/meminfo");
  if (!text.ok()) return 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::ConsumePrefix(&line, "MemTotal:") || !absl::ConsumeSuffix(&line, " kB")) continue;
    int64_t kibibytes = 0;
    return absl::SimpleAtoi(absl::StripAsciiWhitespace(line), &kibibytes) ? kibibytes << 10 : 0;
  }
  return 0;
}

v1::Node ReadFacts(const FactsOptions& options) {
  utsname system{};
  ::uname(&system);
  v1::Node node;
  node.mutable_metadata()->set_name(options.node);
  const std::string architecture = Architecture(system.machine);
  const std::pair<const char*, std::string> labels[] = {{"kubernetes.io/hostname", options.node},
                                                        {"kubernetes.io/os", "linux"},
                                                        {"kubernetes.io/arch", architecture}};
  for (const auto& [name, value] : labels) {
    node.mutable_metadata()->mutable_labels()->insert({name, value});
  }
  v1::NodeStatus* status = node.mutable_status();
  FillResources(options, status);
  AddAddress("InternalIP", options.address, status);
  AddAddress("Hostname", options.node, status);
  v1::NodeSystemInfo* facts = status->mutable_node_info();
  facts->set_machine_id(Trimmed("/etc/machine-id"));
  facts->set_boot_id(options.boot_id);
  facts->set_kernel_version(system.release);
  facts->set_os_image(OsImage());
  facts->set_operating_system("linux");
  facts->set_architecture(architecture);
  facts->set_cgroup_version(options.cgroup_version);
  facts->set_agent_version(options.agent_version);
  return node;
}

absl::StatusOr<std::string> RandomBytes16() {
  std::string bytes(16, '\0');
  const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
  if (got != static_cast<ssize_t>(bytes.size())) return ErrnoStatus("getrandom");
  return bytes;
}

absl::StatusOr<std::string> BootId(const std::string& run_dir) {
  const std::string path = absl::StrCat(run_dir, "/boot_id");
  absl::StatusOr<std::string> known = ReadFile(path);
  if (known.ok()) return std::string(absl::StripAsciiWhitespace(*known));
  if (!absl::IsNotFound(known.status())) return known.status();
  ASSIGN_OR_RETURN(const std::string bytes, RandomBytes16());
  const std::string id = absl::BytesToHexString(bytes);
  RETURN_IF_ERROR(WriteFileDurably(path, id + "\n", 0644));
  return id;
}

std::string PrimaryAddress(const std::string& bridge) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return "";
  std::string address;
  for (const ifaddrs* one = all; one != nullptr && address.empty(); one = one->ifa_next) {
    const bool usable = one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET &&
                        (one->ifa_flags & IFF_LOOPBACK) == 0 && (one->ifa_flags & IFF_UP) != 0 &&
                        bridge != one->ifa_name;
    if (!usable) continue;
    char text[INET_ADDRSTRLEN];
    sockaddr_in in{};
    std::copy_n(reinterpret_cast<const char*>(one->ifa_addr), sizeof in,
                reinterpret_cast<char*>(&in));
    if (::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text) != nullptr) address = text;
  }
  ::freeifaddrs(all);
  return address;
}

}  // namespace cluster::node
