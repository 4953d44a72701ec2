#include "node/pod/pod_specs.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "node/pod/security_specs.h"
#include "node/pod/status.h"
#include "node/volume/volume_plan.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/pod_tuning.h"
#include "proto/schema/resource_names.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

constexpr char kTerminationLog[] = "/dev/termination-log";

using Quantities = google::protobuf::Map<std::string, std::string>;

absl::StatusOr<int64_t> Milli(const Quantities& quantities, const char* name) {
  const auto found = quantities.find(name);
  if (found == quantities.end()) return 0;
  return QuantityMilli(found->second);
}

absl::StatusOr<int64_t> Bytes(const Quantities& quantities, const char* name) {
  const auto found = quantities.find(name);
  if (found == quantities.end()) return 0;
  return QuantityBytes(found->second);
}

void AddHostPorts(const v1::Container& container, std::vector<HostPort>* ports) {
  for (const v1::ContainerPort& port : container.ports()) {
    if (port.host_port() == 0) continue;
    HostPort host_port;
    host_port.host_ip = port.host_ip() == "0.0.0.0" ? "" : port.host_ip();
    host_port.host_port = static_cast<uint16_t>(port.host_port());
    host_port.container_port = static_cast<uint16_t>(port.container_port());
    host_port.protocol = port.protocol() == v1::PROTOCOL_UDP    ? "udp"
                         : port.protocol() == v1::PROTOCOL_SCTP ? "sctp"
                                                                : "tcp";
    ports->push_back(std::move(host_port));
  }
}

std::vector<HostPort> HostPortsOf(const v1::PodSpec& spec) {
  std::vector<HostPort> ports;
  for (const v1::Container& container : spec.containers()) AddHostPorts(container, &ports);
  for (const v1::Container& container : spec.init_containers()) {
    if (IsSidecar(container.restart_policy())) AddHostPorts(container, &ports);
  }
  return ports;
}

Qos RuntimeQos(v1::QosClass qos) {
  return qos == v1::QOS_CLASS_GUARANTEED  ? Qos::kGuaranteed
         : qos == v1::QOS_CLASS_BURSTABLE ? Qos::kBurstable
                                          : Qos::kBestEffort;
}

std::set<int64_t> PageSizesOf(const v1::PodSpec& spec) {
  std::set<int64_t> pages;
  (void)EveryContainer(spec, [&pages](const v1::Container& container) {
    for (const auto& [name, amount] : container.resources().limits()) {
      if (const std::optional<int64_t> page = HugepageSize(name)) pages.insert(*page);
    }
    return true;
  });
  return pages;
}

// An init container that is no sidecar.
bool RunsBeforeOthers(const v1::PodSpec& pod, const v1::Container& container) {
  return !IsSidecar(container.restart_policy()) &&
         std::any_of(pod.init_containers().begin(), pod.init_containers().end(),
                     [&](const v1::Container& each) { return each.name() == container.name(); });
}

}  // namespace

absl::StatusOr<Resources> ResourcesOf(const v1::ResourceRequirements& requirements) {
  Resources resources;
  ASSIGN_OR_RETURN(resources.cpu_limit_milli, Milli(requirements.limits(), "cpu"));
  ASSIGN_OR_RETURN(resources.memory_limit, Bytes(requirements.limits(), "memory"));
  ASSIGN_OR_RETURN(resources.cpu_request_milli, Milli(requirements.requests(), "cpu"));
  ASSIGN_OR_RETURN(resources.memory_request, Bytes(requirements.requests(), "memory"));
  if (requirements.requests().count("cpu") == 0) {
    resources.cpu_request_milli = resources.cpu_limit_milli;
  }
  if (requirements.requests().count("memory") == 0) {
    resources.memory_request = resources.memory_limit;
  }
  // Requests are the limits there.
  for (const auto& [name, amount] : requirements.limits()) {
    const std::optional<int64_t> page = HugepageSize(name);
    if (!page) continue;
    ASSIGN_OR_RETURN(resources.hugepages[*page], QuantityBytes(amount));
  }
  return resources;
}

absl::StatusOr<Resources> ResourcesOf(const v1::PodSpec& spec) {
  absl::Status problem;
  // One amount of the whole pod; a limit only where every container has one.
  const auto sum = [&](int64_t Resources::*amount, bool limit) {
    bool limited = true;
    const int64_t total = EffectiveAmount(spec, [&](const v1::Container& container) {
      const absl::StatusOr<Resources> one = ResourcesOf(container.resources());
      problem.Update(one.status());
      if (!one.ok()) return int64_t{0};
      limited &= *one.*amount > 0;
      return *one.*amount;
    });
    return limit && !limited ? 0 : total;
  };
  Resources resources;
  resources.cpu_request_milli = sum(&Resources::cpu_request_milli, false);
  resources.memory_request = sum(&Resources::memory_request, false);
  resources.cpu_limit_milli = sum(&Resources::cpu_limit_milli, true);
  resources.memory_limit = sum(&Resources::memory_limit, true);
  RETURN_IF_ERROR(problem);
  for (const int64_t page : PageSizesOf(spec)) {
    resources.hugepages[page] = EffectiveAmount(spec, [&](const v1::Container& container) {
      // Every one of them parsed above.
      const Resources one = ResourcesOf(container.resources()).value();
      const auto bytes = one.hugepages.find(page);
      return bytes == one.hugepages.end() ? int64_t{0} : bytes->second;
    });
  }
  return resources;
}

std::vector<std::string> HostsLines(const v1::PodSpec& spec) {
  std::vector<std::string> lines;
  for (const v1::HostAlias& alias : spec.host_aliases()) {
    lines.push_back(absl::StrCat(alias.ip(), " ", absl::StrJoin(alias.hostnames(), " ")));
  }
  return lines;
}

absl::StatusOr<SandboxSpec> SandboxSpecOf(const v1::Pod& pod, const NodeResolver& resolver) {
  SandboxSpec spec;
  spec.uid = pod.metadata().uid();
  spec.name_space = pod.metadata().namespace_();
  spec.name = pod.metadata().name();
  spec.hostname = HostnameOf(pod, resolver.cluster_domain);
  if (spec.hostname.size() > kLongestHostname) {
    return absl::FailedPreconditionError(
        absl::StrCat("the host name ", spec.hostname, " has ", spec.hostname.size(),
                     " characters and a host name at most ", kLongestHostname,
                     "; take shorter names or set setHostnameAsFQDN to false"));
  }
  spec.domain_name = DomainNameOf(pod, resolver.cluster_domain);
  spec.qos = RuntimeQos(QosOf(pod.spec()));
  ASSIGN_OR_RETURN(spec.resources, ResourcesOf(pod.spec()));
  ASSIGN_OR_RETURN(const PodTuning tuning, ParseTuning(pod.metadata()));
  spec.resources.io_weight = tuning.io_weight;
  for (const DiskTuning& disk : tuning.disks) {
    spec.resources.disks.push_back({disk.device, 0, 0, disk.read_bytes_per_second,
                                    disk.write_bytes_per_second, disk.reads_per_second,
                                    disk.writes_per_second});
  }
  spec.host_ports = HostPortsOf(pod.spec());
  spec.extra_hosts_lines = HostsLines(pod.spec());
  ASSIGN_OR_RETURN(spec.resolv_conf, ResolvConf(pod, resolver));
  FillSandboxSecurity(pod.spec(), &spec);
  // There its containers hold them themselves.
  if (spec.host_network) spec.host_ports.clear();
  return spec;
}

absl::StatusOr<ContainerSpec> ContainerSpecOf(const v1::Assignment& assignment,
                                              const v1::Container& container, int32_t attempt,
                                              const ImageRecord& image, const NodeContext& context,
                                              int64_t node_memory) {
  ContainerSpec spec;
  spec.pod_uid = assignment.pod().metadata().uid();
  spec.name = container.name();
  spec.attempt = attempt;
  spec.rootfs.layers = image.layers;
  ASSIGN_OR_RETURN(const BuiltEnvironment environment,
                   BuildEnvironment(assignment, container, image.config, context));
  for (const auto& [name, value] : environment.all) {
    spec.env.push_back(absl::StrCat(name, "=", value));
  }
  ASSIGN_OR_RETURN(spec.pod_volumes, PlanVolumes(assignment, context));
  ASSIGN_OR_RETURN(spec.volumes, PlanBinds(assignment.pod().spec(), container.volume_mounts(),
                                           environment.of_manifest));
  ASSIGN_OR_RETURN(spec.argv, BuildCommandLine(container, image.config, environment.of_manifest));
  spec.working_dir =
      container.working_dir().empty() ? image.config.working_dir : container.working_dir();
  spec.user = image.config.user;
  const v1::PodSpec& pod = assignment.pod().spec();
  ASSIGN_OR_RETURN(spec.security,
                   SecuritySpecOf(pod, container.name(), container.security_context(), spec.user));
  spec.time_offsets = TimeOffsetsOf(assignment.pod().metadata());
  spec.tty = container.tty();
  spec.stdin = container.stdin();
  spec.stdin_once = container.stdin_once();
  spec.termination_message_path = container.termination_message_path().empty()
                                      ? kTerminationLog
                                      : container.termination_message_path();
  ASSIGN_OR_RETURN(spec.resources, ResourcesOf(container.resources()));
  ASSIGN_OR_RETURN(spec.disk_limit, Bytes(container.resources().limits(), "ephemeral-storage"));
  const v1::QosClass qos = QosOf(pod);
  spec.oom_score_adj = OomScore(qos, spec.resources.memory_request, node_memory);
  // Guaranteed: whole cpus can be its own.
  if (qos == v1::QOS_CLASS_GUARANTEED && spec.resources.cpu_limit_milli % 1000 == 0) {
    spec.resources.whole_cpus = static_cast<int32_t>(spec.resources.cpu_limit_milli / 1000);
  }
  spec.runs_before_others = RunsBeforeOthers(pod, container);
  ASSIGN_OR_RETURN(const PodTuning tuning, ParseTuning(assignment.pod().metadata()));
  if (tuning.oom_kills_process_alone) spec.oom_policy = OomPolicy::kProcess;
  return spec;
}

int32_t OomScore(v1::QosClass qos, int64_t memory_request, int64_t node_memory) {
  if (qos == v1::QOS_CLASS_GUARANTEED) return -997;
  if (qos != v1::QOS_CLASS_BURSTABLE || node_memory <= 0) return 1000;
  const int64_t score = 1000 - static_cast<int64_t>(1000.0 * static_cast<double>(memory_request) /
                                                    static_cast<double>(node_memory));
  return static_cast<int32_t>(std::clamp<int64_t>(score, 3, 999));
}

}  // namespace cluster::node
