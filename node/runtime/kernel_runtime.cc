#include "node/runtime/kernel_runtime.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/runtime/hidden_sysctls.h"
#include "node/runtime/resource_limits.h"
#include "node/volume/mount_tree.h"

namespace cluster::node {
namespace {

// For all pods together that do not answer or do not end when the agent starts.
constexpr absl::Duration kRecoverPatience = absl::Seconds(5);
constexpr absl::Duration kProbePatience = absl::Seconds(5);

absl::Status CheckSandbox(const SandboxSpec& spec) {
  RETURN_IF_ERROR(CheckName("pod uid", spec.uid));
  RETURN_IF_ERROR(CheckName("hostname", spec.hostname));
  if (spec.hostname.size() > 64) {
    return absl::InvalidArgumentError(
        absl::StrCat("hostname '", spec.hostname, "' is longer than 64 characters"));
  }
  if (!spec.host_users && (spec.host_network || spec.host_pid || spec.host_ipc)) {
    return absl::InvalidArgumentError(
        "a pod with a user namespace cannot use the node's network, processes or ipc");
  }
  if (spec.share_process_namespace && spec.host_pid) {
    return absl::InvalidArgumentError("a pod shares its own processes or the node's, not both");
  }
  return absl::OkStatus();
}

// The status, with what cluster-init itself had to say.
absl::Status Blame(const absl::Status& status, const PodDirectory& directory) {
  if (status.ok()) return status;
  const std::string complaints = directory.Complaints();
  return complaints.empty() ? status : Annotate(status, complaints);
}

std::set<std::string> NamesIn(const std::string& directory) {
  std::set<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    names.insert(at->path().filename().string());
  }
  return names;
}

}  // namespace

absl::StatusOr<std::vector<PublishedPort>> KernelRuntime::PortsOf(const SandboxSpec& spec) {
  std::vector<PublishedPort> ports;
  for (const HostPort& port : spec.host_ports) {
    PublishedPort published;
    ASSIGN_OR_RETURN(published.protocol,
                     ParseProtocol(port.protocol.empty() ? "tcp" : port.protocol));
    if (!port.host_ip.empty()) {
      ASSIGN_OR_RETURN(published.host_ip, ParseIpv4(port.host_ip));
    }
    published.host_port = port.host_port;
    published.pod_port = port.container_port;
    ports.push_back(published);
  }
  return ports;
}

absl::StatusOr<std::unique_ptr<KernelRuntime>> KernelRuntime::Open(KernelRuntimeOptions options) {
  std::unique_ptr<KernelRuntime> runtime(new KernelRuntime(std::move(options)));
  for (const std::string& base : {runtime->options_.state_dir, runtime->options_.run_dir}) {
    RETURN_IF_ERROR(MakeDirectories(base + "/pods", 0755));
    if (chmod((base + "/pods").c_str(), 0700) != 0) return ErrnoStatus("chmod", base + "/pods");
  }
  RETURN_IF_ERROR(MakeDirectories(runtime->ClaimDirectory(), 0700));
  ASSIGN_OR_RETURN(runtime->skeleton_, MakeSkeleton(runtime->options_.state_dir));
  ASSIGN_OR_RETURN(runtime->null_, OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
  ASSIGN_OR_RETURN(UniqueFd program, OpenProgramReadOnly(runtime->options_.init_program));
  runtime->template_ = std::make_unique<InitTemplate>(
      std::move(program), absl::StrCat(runtime->options_.run_dir, "/cluster-init.log"));
  runtime->filters_ = std::make_unique<SyscallFilters>(runtime->options_.state_dir + "/seccomp");
  // Before the first pod asks for it.
  RETURN_IF_ERROR(runtime->filters_->For("", kDefaultCapabilities).status());
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return ErrnoStatus("getrlimit", "open files");
  runtime->open_files_ = files.rlim_max;
  runtime->epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  runtime->stop_.reset(eventfd(0, EFD_CLOEXEC));
  if (!runtime->epoll_ || !runtime->stop_) return ErrnoStatus("epoll_create1");
  runtime->Watch(runtime->stop_.get(), "", UniqueFd(), false);
  runtime->watcher_ = std::thread([raw = runtime.get()] { raw->WatchInits(); });
  return runtime;
}

absl::StatusOr<InitClient> KernelRuntime::Connect(const std::string& uid,
                                                  absl::Duration timeout) const {
  ASSIGN_OR_RETURN(UniqueFd run, DirectoryOf(uid).OpenRun());
  return InitClient::Connect(run.get(), kInitSocket, timeout);
}

// A conversation of our own in which cluster-init tells of changes, and whose end tells of its
// death.
absl::Status KernelRuntime::Adopt(const std::string& uid, InitClient init) {
  {
    MutexLock lock(&mutex_);
    for (const auto& [fd, watched] : watched_) {
      if (watched.uid == uid && !watched.is_process) return absl::OkStatus();
    }
  }
  RETURN_IF_ERROR(init.Watch());
  WatchConversation(uid, std::move(init));
  return absl::OkStatus();
}

void KernelRuntime::WatchConversation(const std::string& uid, InitClient init) {
  const int fd = init.fd();
  Watch(fd, uid, init.TakeSocket(), false);
}

CgroupLimits KernelRuntime::PodLimits(const Resources& resources) const {
  CgroupLimits limits = LimitsOf(options_.cgroups->layout(), resources, options_.pod_pids_limit);
  // All of them: who gets which is said in the groups below.
  CpuSet all;
  for (const Cpu& cpu : options_.cpus) all.insert(cpu.id);
  limits.cpuset_cpus = FormatCpus(all);
  return limits;
}

// A pod of few or no requested cores would set itself up at the least weight there is, which on a
// busy machine takes for ever: until its first container runs, it weighs at least one core.
CgroupLimits KernelRuntime::StartingLimits(const SandboxSpec& spec) const {
  CgroupLimits limits = PodLimits(spec.resources);
  limits.cpu_request_milli = std::max<int64_t>(limits.cpu_request_milli, 1000);
  return limits;
}

void KernelRuntime::SettlePod(const std::string& uid) {
  auto spec = DirectoryOf(uid).ReadSandbox();
  auto group = options_.cgroups->FindPod(uid);
  // Gone meanwhile.
  if (!spec.ok() || !group.ok()) return;
  const absl::Status settled =
      group->Apply(PlanWrites(options_.cgroups->layout(), PodLimits(spec->resources)));
  // Half removed already.
  if (absl::IsNotFound(settled)) return;
  if (!settled.ok()) LOG_WARN("pod {}: limits: {}", uid, std::string(settled.message()));
}

// What is left of a pod whose cluster-init is dead makes way for a new one.
absl::Status KernelRuntime::ClearDead(const PodDirectory& directory, const std::string& uid) {
  RETURN_IF_ERROR(KillRemains(uid, absl::Seconds(5)));
  // A group that was killed once may kill what is cloned into it (see SpawnProgram): new ones.
  RETURN_IF_ERROR(options_.cgroups->RemovePod(uid));
  RETURN_IF_ERROR(DetachIn(directory.attached_volumes()));
  if (unlink(directory.ready().c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus("unlink", "ready");
  }
  return absl::OkStatus();
}

absl::StatusOr<PodAddress> KernelRuntime::ReserveFor(const SandboxSpec& spec) {
  ASSIGN_OR_RETURN(const std::vector<PublishedPort> ports, PortsOf(spec));
  return options_.network->Reserve(spec.uid, ports);
}

absl::StatusOr<SandboxState> KernelRuntime::PrepareSandbox(const SandboxSpec& asked) {
  RETURN_IF_ERROR(CheckSandbox(asked));
  RETURN_IF_ERROR(CheckSysctlsShown(asked));
  const Precedence::Start start(&precedence_);
  SandboxSpec spec = asked;
  RETURN_IF_ERROR(FindDisks(&spec.resources));
  RETURN_IF_ERROR(PortsOf(spec).status());
  const PodDirectory directory = DirectoryOf(spec.uid);
  bool fresh = false;
  RETURN_IF_ERROR(directory.Make(&fresh));
  absl::StatusOr<InitClient> init = absl::NotFoundError("fresh");
  absl::StatusOr<Begun> begun = absl::UnavailableError("not begun");
  if (!fresh) init = Connect(spec.uid);
  if (!init.ok() && !absl::IsNotFound(init.status())) return init.status();
  const bool alive = init.ok();
  if (!alive) {
    if (!fresh) RETURN_IF_ERROR(ClearDead(directory, spec.uid));
    begun = BeginInit(spec, directory, true);
    if (!begun.ok() && !absl::IsUnavailable(begun.status())) return begun.status();
    // The pod's directories speak of it already; the rest is written while cluster-init comes to
    // be. A pod without a sandbox record is swept.
    RETURN_IF_ERROR(directory.WriteSandbox(spec));
  }
  std::string ip;
  if (!spec.host_network) {
    ASSIGN_OR_RETURN(const PodAddress address, ReserveFor(spec));
    ip = ToString(address.ip);
  }
  if (!alive) {
    RETURN_IF_ERROR(directory.WriteEtc(spec, ip));
    RETURN_IF_ERROR(Blame(MeetInit(spec, directory, std::move(begun)), directory));
  } else {
    RETURN_IF_ERROR(EnsureAttached(spec.uid));
    RETURN_IF_ERROR(Adopt(spec.uid, *std::move(init)));
  }
  ASSIGN_OR_RETURN(const int64_t made_ns, directory.SandboxBirth());
  precedence_.PodCame();
  return SandboxState{spec.uid, ip, made_ns};
}

// From here on its end is noticed, and the network is on its way.
absl::Status KernelRuntime::MeetInit(const SandboxSpec& spec, const PodDirectory& directory,
                                     absl::StatusOr<Begun> begun) {
  auto welcome = begun.ok() ? begun->init.AwaitWelcome() : begun.status();
  if (absl::IsUnavailable(welcome.status())) {
    welcome = BeginAnew(spec, directory, &begun);
  }
  RETURN_IF_ERROR(welcome.status());
  const int pidfd = welcome->pidfd.get();
  Watch(pidfd, spec.uid, std::move(welcome->pidfd), true);
  WatchConversation(spec.uid, std::move(begun->init));
  if (begun->joined && spec.sysctls.empty()) return directory.MarkReady();
  AttachInBackground(spec.uid, *std::move(welcome), begun->joined);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RecoveredPod>> KernelRuntime::Recover() {
  std::set<std::string> uids = NamesIn(options_.state_dir + "/pods");
  uids.merge(NamesIn(options_.run_dir + "/pods"));
  ASSIGN_OR_RETURN(const std::vector<FoundPod> groups, options_.cgroups->List());
  for (const FoundPod& group : groups) uids.insert(group.uid);

  for (const std::string& uid : uids) {
    const std::optional<uint32_t> first_id = DirectoryOf(uid).ReadFirstId();
    if (!first_id.has_value()) continue;
    MutexLock lock(&mutex_);
    ids_.Hold(*first_id);
  }

  // Before anything is swept: of a later version, and it may live.
  for (const std::string& uid : uids) {
    if (!CheckName("pod uid", uid).ok()) continue;
    const absl::Status read = DirectoryOf(uid).ReadSandbox().status();
    if (!absl::IsFailedPrecondition(read)) continue;
    return absl::FailedPreconditionError(absl::StrCat("pod ", uid, ": ", read.message()));
  }

  std::vector<RecoveredPod> recovered;
  std::vector<std::string> kept;
  for (const std::string& uid : uids) {
    if (!CheckName("pod uid", uid).ok()) continue;  // not made by us
    auto spec = DirectoryOf(uid).ReadSandbox();
    if (!spec.ok()) {
      LOG_INFO("pod {}: sweeping what is left of it ({})", uid,
               std::string(spec.status().message()));
      const absl::Status removed = Remove(uid);
      if (!removed.ok()) LOG_WARN("pod {}: {}", uid, std::string(removed.message()));
      continue;
    }
    if (!DirectoryOf(uid).IsReleased()) kept.push_back(uid);
    RecoveredPod pod;
    pod.spec = *std::move(spec);
    pod.sandbox.uid = uid;
    recovered.push_back(std::move(pod));
  }
  RETURN_IF_ERROR(options_.network->Recover(kept));
  const absl::Time deadline = absl::Now() + kRecoverPatience;
  for (RecoveredPod& pod : recovered) RETURN_IF_ERROR(RecoverPod(pod, deadline));
  // Now it is known which ids are free.
  OrderSpares();
  return recovered;
}

// Commands of an agent that died: cluster-init ended them with their connection, but not what they
// had started.
void KernelRuntime::EndProbes(const std::string& uid) {
  auto records = QueryInit(uid);
  if (!records.ok()) return;  // then nothing of the pod runs
  for (const InitRecord& record : *records) {
    if (record.phase != init::Phase::kRunning) continue;
    const absl::Status ended = options_.cgroups->RemoveNests(
        uid, absl::StrCat(record.name, "-", record.attempt), kProbeGroup, kProbePatience);
    if (!ended.ok()) LOG_WARN("pod {}: {}", uid, std::string(ended.message()));
  }
}

absl::Status KernelRuntime::RecoverPod(RecoveredPod& pod, absl::Time deadline) {
  const std::string& uid = pod.sandbox.uid;
  // One that hangs must not hold up the others.
  const absl::Duration patience =
      std::clamp<absl::Duration>(deadline - absl::Now(), absl::Milliseconds(50), absl::Seconds(1));
  auto init = Connect(uid, patience);
  const absl::Status adopted = init.ok() ? Adopt(uid, *std::move(init)) : init.status();
  if (adopted.ok()) SettlePod(uid);
  if (adopted.ok()) EndProbes(uid);
  const absl::Status cpus = AdoptCpus(uid);
  if (!cpus.ok()) LOG_WARN("pod {}: {}", uid, std::string(cpus.message()));
  if (absl::IsNotFound(adopted)) {
    const absl::Status killed = KillRemains(uid, patience);
    if (!killed.ok()) LOG_WARN("pod {}: {}", uid, std::string(killed.message()));
  } else if (!adopted.ok()) {
    LOG_WARN("pod {}: {}", uid, std::string(adopted.message()));
  }
  if (!pod.spec.host_network && !DirectoryOf(uid).IsReleased()) {
    auto address = ReserveFor(pod.spec);
    if (address.ok()) pod.sandbox.ip = ToString(address->ip);
  }
  absl::StatusOr<std::vector<ContainerState>> states = absl::UnavailableError("no answer");
  if (adopted.ok() || absl::IsNotFound(adopted)) states = StatesOf(uid, &pod.alive);
  if (states.ok()) {
    pod.containers = *std::move(states);
  } else {
    // It is there and does not answer: what its containers do is asked again later.
    {
      MutexLock lock(&mutex_);
      unadopted_.insert(uid);
    }
    pod.alive = true;
    pod.containers = RecordedStates(uid);
    for (ContainerState& state : pod.containers) {
      if (state.phase == ContainerPhase::kUnknown) state.phase = ContainerPhase::kRunning;
    }
  }
  for (const ContainerState& state : pod.containers) {
    if (state.phase == ContainerPhase::kRunning) HoldOnTo(uid, state.name, state.attempt);
  }
  // One that was cut off before its network was attached is made again from the start.
  if (!DirectoryOf(uid).IsReady()) pod.alive = false;
  return absl::OkStatus();
}

}  // namespace cluster::node
