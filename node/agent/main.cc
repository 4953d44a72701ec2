// cluster-node: the agent on its kernel. Construction order only.
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/agent/agent.h"
#include "node/agent/flags.h"
#include "node/agent/network_parts.h"
#include "node/cgroup/layout.h"
#include "node/cgroup/tree.h"
#include "node/dns/name_server.h"
#include "node/eviction/memory_alarm.h"
#include "node/eviction/node_gauge.h"
#include "node/image/image_store.h"
#include "node/journal/journal.h"
#include "node/network/pod_network.h"
#include "node/runtime/kernel_runtime.h"
#include "node/session/facts.h"
#include "node/stats/sampler.h"
#include "node/volume/usage.h"

namespace cluster::node {
namespace {

// How long a verb may take to end after SIGTERM; pods do not wait for it.
constexpr absl::Duration kPatience = absl::Seconds(10);

absl::StatusOr<std::string> ProgramBeside() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return ErrnoStatus(error.value(), "readlink", "/proc/self/exe");
  return (self.parent_path() / "cluster-init").string();
}

// The system's part of the machine is not for pods, whatever they were promised.
absl::Status LimitPods(CgroupTree& cgroups) {
  CgroupLimits limits;
  limits.cpu_request_milli = ::sysconf(_SC_NPROCESSORS_ONLN) * 1000;
  limits.memory_limit = MachineMemory() - kReservedMemory;
  if (limits.memory_limit <= 0) {
    return absl::FailedPreconditionError("this machine has too little memory to run pods on");
  }
  // Nine tenths: the rest is for whoever has to look into what has gone wrong.
  ASSIGN_OR_RETURN(const NodeNumbers numbers, ReadNodeNumbers(cgroups, "/"));
  limits.pids_limit = numbers.pids_total / 10 * 9;
  return Annotate(cgroups.LimitWhole(limits), "limit all pods together");
}

ShortageSource ShortageOf(CgroupTree* cgroups, const std::string& state_dir) {
  ShortageSource source;
  source.node = [cgroups, state_dir] { return ReadNodeNumbers(*cgroups, state_dir); };
  source.pod = [cgroups](const std::string& uid) -> absl::StatusOr<PodUse> {
    ASSIGN_OR_RETURN(const CgroupGroup group, cgroups->FindPod(uid));
    ASSIGN_OR_RETURN(const CgroupUsage usage, group.Usage());
    return PodUse{usage.memory_working_set_bytes, usage.processes};
  };
  source.disk = [state_dir](const std::string& uid) -> absl::StatusOr<PodDisk> {
    ASSIGN_OR_RETURN(const PodUsage usage, MeasurePod(absl::StrCat(state_dir, "/pods/", uid)));
    PodDisk disk;
    for (const auto& [name, volume] : usage.volumes) disk.volumes[name] = volume.bytes;
    for (const auto* parts : {&usage.layers, &usage.logs}) {
      for (const auto& [name, part] : *parts) disk.containers[name] += part.bytes;
    }
    disk.inodes = usage.Total().inodes;
    return disk;
  };
  return source;
}

AgentOptions OptionsOf(const Flags& flags, const CgroupLayout& layout) {
  AgentOptions options;
  options.controller = flags.controller;
  options.node = flags.node;
  options.state_dir = flags.state_dir;
  options.address = flags.address.empty() ? PrimaryAddress(flags.bridge) : flags.address;
  options.agent_version = CLUSTER_VERSION;
  options.cgroup_version = layout.Version();
  for (const HugepagePool& pool : layout.hugepages) {
    options.hugepages.emplace_back(pool.page_bytes, pool.pages);
  }
  options.devices = flags.devices;
  options.resolv_conf = flags.resolv_conf;
  options.cluster_domain = flags.cluster_domain;
  options.eviction.thresholds = flags.eviction_hard;
  options.eviction.thresholds.insert(options.eviction.thresholds.end(), flags.eviction_soft.begin(),
                                     flags.eviction_soft.end());
  options.eviction.max_grace = flags.eviction_max_grace;
  options.eviction.hold = flags.eviction_hold;
  return options;
}

absl::StatusOr<KernelRuntimeOptions> RuntimeOptionsOf(const Flags& flags) {
  KernelRuntimeOptions options;
  options.state_dir = flags.state_dir;
  options.run_dir = flags.run_dir;
  options.init_program = flags.init_program;
  if (flags.init_program.empty()) {
    ASSIGN_OR_RETURN(options.init_program, ProgramBeside());
  }
  options.user_ids = flags.user_ids;
  options.log_max_bytes = flags.log_max_bytes;
  options.log_max_files = flags.log_max_files;
  options.spares = flags.spare_pods;
  if (flags.static_cpus) {
    ASSIGN_OR_RETURN(options.cpus, ReadCpus("/sys/devices/system/cpu"));
  }
  return options;
}

NameServer::Options NamesOptionsOf(const Flags& flags, const ServiceBook* services) {
  NameServer::Options options;
  options.services = services;
  options.domain = flags.cluster_domain;
  options.upstreams = [path = flags.resolv_conf] {
    return ParseResolvConf(ReadFile(path).value_or("")).nameservers;
  };
  return options;
}

absl::Status Run(const Flags& flags, const sigset_t& stop_signals) {
  RETURN_IF_ERROR(MakeDirectories(flags.state_dir, 0700));
  RETURN_IF_ERROR(MakeDirectories(flags.run_dir, 0700));
  // What it speaks of does not outlive the power, so it lives where nothing does, unsynced.
  ASSIGN_OR_RETURN(auto journal,
                   Journal::Open(absl::StrCat(flags.run_dir, "/journal"), Survives::kAgentCrash));
  ASSIGN_OR_RETURN(auto images, ImageStore::Open(absl::StrCat(flags.state_dir, "/images")));
  ASSIGN_OR_RETURN(CgroupLayout layout, DiscoverCgroups());
  AgentOptions options = OptionsOf(flags, layout);
  ASSIGN_OR_RETURN(options.boot_id, BootId(flags.run_dir));
  // Of this life of the machine: its clock begins anew with the next.
  options.lease_file = absl::StrCat(flags.run_dir, "/lease-", options.boot_id);
  ASSIGN_OR_RETURN(auto cgroups, CgroupTree::Open(std::move(layout), flags.cgroup_parent));
  RETURN_IF_ERROR(LimitPods(*cgroups));
  PodNetwork::Config network_config;
  network_config.bridge = flags.bridge;
  network_config.node = flags.node;
  network_config.journal = journal.get();
  ASSIGN_OR_RETURN(auto network, PodNetwork::Open(std::move(network_config)));
  ASSIGN_OR_RETURN(KernelRuntimeOptions runtime_options, RuntimeOptionsOf(flags));
  runtime_options.cgroups = cgroups.get();
  runtime_options.network = network.get();
  ASSIGN_OR_RETURN(auto runtime, KernelRuntime::Open(std::move(runtime_options)));

  SamplerParts sampler_parts;
  sampler_parts.cgroups = cgroups.get();
  sampler_parts.clock = RealClock();
  sampler_parts.node = flags.node;
  Sampler sampler(std::move(sampler_parts));

  ServiceBook services;
  ASSIGN_OR_RETURN(auto names, NameServer::Start(NamesOptionsOf(flags, &services)));

  AgentParts parts;
  parts.sampler = &sampler;
  parts.runtime = runtime.get();
  parts.images = images.get();
  parts.clock = RealClock();
  parts.services = &services;
  AddNetwork(network.get(), names.get(), flags.node, &parts);
  parts.shortage = ShortageOf(cgroups.get(), flags.state_dir);
  ASSIGN_OR_RETURN(auto agent, Agent::Start(std::move(options), std::move(parts)));
  LOG_INFO("node {} is up, controller {}", flags.node, flags.controller);
  auto alarm = MemoryAlarm::Set([raw = agent.get()] { raw->HintShortage(); });
  if (!alarm.ok()) {
    LOG_INFO("no word from the kernel when memory gets short, the node looks now and then: {}",
             alarm.status().ToString());
  }
  int signal = 0;
  while (sigwait(&stop_signals, &signal) != 0) {
  }
  LOG_INFO("ending on signal {}; pods live on", signal);
  if (alarm.ok()) alarm->reset();
  if (!agent->Stop(kPatience)) {
    // A verb is stuck in the kernel. Everything durable is durable; destructors would wait for it.
    LOG_WARN("a verb did not end in time and is left to the next start");
    _exit(0);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace cluster::node

int main(int argc, char** argv) {
  const cluster::node::ParsedFlags parsed = cluster::node::ParseFlags(argc, argv);
  if (parsed.exit) return parsed.exit_code;
  // Each arena keeps what its threads once needed, and most of ours need little at a time.
  mallopt(M_ARENA_MAX, 2);
  // Blocked before the first thread, so that every thread leaves these two to sigwait.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  // A handler, not SIG_IGN: exec resets it, so that no container inherits it.
  signal(SIGPIPE, [](int) {});
  if (!cluster::SetUpLogging("cluster-node", parsed.flags.log_level)) {
    fprintf(stderr, "cluster-node: --log-level %s: use trace, debug, info, warn, error or off\n",
            parsed.flags.log_level.c_str());
    return 2;
  }
  const absl::Status status = cluster::node::Run(parsed.flags, stop_signals);
  if (status.ok()) return 0;
  fprintf(stderr, "cluster-node: %s\n", std::string(status.message()).c_str());
  return 1;
}
