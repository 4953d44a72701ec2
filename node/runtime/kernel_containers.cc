// KernelRuntime's verbs about containers.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/init/plan_writer.h"
#include "node/runtime/kernel_runtime.h"
#include "node/runtime/launch_plan.h"
#include "node/runtime/resource_limits.h"
#include "node/volume/project_quota.h"

namespace cluster::node {
namespace {

// What the container writes, and where overlayfs has it on its way there. Where no quota can be,
// its pod is evicted once it is over.
absl::Status LimitInstance(const std::string& path, int64_t bytes) {
  ASSIGN_OR_RETURN(const UniqueFd upper, OpenAt(AT_FDCWD, path + "/upper", O_RDONLY | O_DIRECTORY));
  ASSIGN_OR_RETURN(const UniqueFd work, OpenAt(AT_FDCWD, path + "/work", O_RDONLY | O_DIRECTORY));
  return Annotate(LimitSpace({upper.get(), work.get()}, bytes).status(), "limit of its disk");
}

std::string LeafOf(const std::string& container, int32_t attempt) {
  return absl::StrCat(container, "-", attempt);
}

absl::Status CheckContainer(const std::string& uid, const std::string& name, int32_t attempt) {
  RETURN_IF_ERROR(CheckName("pod uid", uid));
  RETURN_IF_ERROR(CheckName("container name", name));
  if (attempt < 0) return absl::InvalidArgumentError("an attempt is not negative");
  return absl::OkStatus();
}

ContainerState StateOf(const InitRecord& record) {
  ContainerState state;
  state.name = record.name;
  state.attempt = record.attempt;
  state.phase =
      record.phase == init::Phase::kExited ? ContainerPhase::kExited : ContainerPhase::kRunning;
  state.pid = record.pid;
  state.started_at = record.started_at;
  if (record.phase == init::Phase::kExited) state.finished_at = record.finished_at;
  state.exit_code = record.exit_code;
  state.signal = record.signal;
  state.oom_killed = record.oom_killed;
  state.message = record.message;
  return state;
}

// Where the kernel counts its OOM kills of the group; no descriptor without a memory controller.
absl::StatusOr<UniqueFd> OpenOomFile(const CgroupLayout& layout, const std::string& path) {
  if (const V1Hierarchy* memory = layout.V1Of("memory"); memory != nullptr) {
    return OpenAt(AT_FDCWD, absl::StrCat(memory->mount_point, path, "/memory.oom_control"),
                  O_RDONLY);
  }
  if (!layout.HasV2Controller("memory")) return UniqueFd();
  return OpenAt(AT_FDCWD, absl::StrCat(layout.v2_mount_point, path, "/memory.events"), O_RDONLY);
}

}  // namespace

std::string KernelRuntime::LogDirectory(const std::string& pod_uid, const std::string& container) {
  return DirectoryOf(pod_uid).logs(container);
}

absl::StatusOr<LaunchPlan> KernelRuntime::PlanFor(const ContainerSpec& spec,
                                                  const PodDirectory& directory,
                                                  std::vector<PlannedVolume> volumes) const {
  ASSIGN_OR_RETURN(const SandboxSpec sandbox, directory.ReadSandbox());
  const CgroupLayout& layout = options_.cgroups->layout();
  LaunchInputs inputs;
  inputs.spec = &spec;
  inputs.sandbox = &sandbox;
  inputs.instance_path = directory.instance(spec.name, spec.attempt);
  inputs.etc_directory = directory.etc();
  inputs.skeleton = skeleton_;
  inputs.first_id = directory.ReadFirstId();
  inputs.cgroup2_alone = layout.v1.empty() && !layout.v2_mount_point.empty();
  inputs.memory_on_v1 = layout.V1Of("memory") != nullptr;
  inputs.open_files = open_files_;
  const std::string profile = spec.security.privileged ? "unconfined" : spec.security.seccomp;
  ASSIGN_OR_RETURN(inputs.filter, filters_->For(profile, spec.security.capabilities));
  inputs.volumes = std::move(volumes);
  if (spec.security.privileged) inputs.node_devices = ListNodeDevices();
  inputs.log_max_bytes = options_.log_max_bytes;
  inputs.log_max_files = options_.log_max_files;
  return PlanLaunch(inputs);
}

CgroupLimits KernelRuntime::ContainerLimits(const ContainerSpec& spec) const {
  CgroupLimits limits =
      LimitsOf(options_.cgroups->layout(), spec.resources, options_.default_pids_limit);
  limits.oom_kills_group = spec.oom_policy == OomPolicy::kContainer;
  limits.devices = spec.security.privileged ? AllDevices() : DefaultDevices();
  return limits;
}

absl::StatusOr<CgroupGroup> KernelRuntime::MakeContainerGroup(const ContainerSpec& spec) {
  CgroupLimits limits = ContainerLimits(spec);
  const std::string leaf = LeafOf(spec.name, spec.attempt);
  ASSIGN_OR_RETURN(limits.cpuset_cpus, GiveCpus(spec));
  if (limits.cpuset_cpus.empty()) return MakeCommonLeaf(spec.pod_uid, leaf, std::move(limits));
  return options_.cgroups->MakeLeaf(spec.pod_uid, leaf, limits);
}

// The container's process builds its root while its v1 groups are made here and the network, if
// this is the pod's first, is being attached.
absl::StatusOr<InitRecord> KernelRuntime::Launch(const ContainerSpec& spec,
                                                 const PodDirectory& directory, InitClient& init) {
  if (spec.rootfs.layers.empty()) {
    return absl::InvalidArgumentError("its image is empty");
  }
  std::vector<PlannedVolume> volumes;
  ASSIGN_OR_RETURN(const std::vector<BoundVolume> bound, BindVolumes(spec, &init, &volumes));
  ASSIGN_OR_RETURN(const LaunchPlan plan, PlanFor(spec, directory, std::move(volumes)));
  InitStart start;
  for (const BoundVolume& volume : bound) start.volumes.push_back(volume.tree.get());
  ASSIGN_OR_RETURN(start.plan, EncodeLaunchPlan(plan));
  RETURN_IF_ERROR(directory.MakeInstance(spec.name, spec.attempt, spec.rootfs.layers.back(),
                                         directory.ReadFirstId().value_or(0)));
  if (spec.disk_limit > 0) RETURN_IF_ERROR(LimitInstance(plan.instance_path, spec.disk_limit));
  // Whoever it runs as may write there.
  RETURN_IF_ERROR(WriteNewFile(plan.instance_path + "/" + kTerminationFile, "", 0666));
  ASSIGN_OR_RETURN(UniqueFd birthplace,
                   options_.cgroups->MakeBirthplace(spec.pod_uid, LeafOf(spec.name, spec.attempt)));
  std::optional<CgroupGroup> group;
  if (!birthplace) {
    ASSIGN_OR_RETURN(group, MakeContainerGroup(spec));
  }
  ASSIGN_OR_RETURN(UniqueFd instance, OpenAt(AT_FDCWD, plan.instance_path, O_RDONLY | O_DIRECTORY));
  ASSIGN_OR_RETURN(
      UniqueFd log,
      OpenAt(AT_FDCWD, absl::StrCat(directory.logs(spec.name), "/", spec.attempt, ".log"),
             O_RDWR | O_CREAT | O_APPEND, 0600));
  start.instance_dir = instance.get();
  start.log_file = log.get();
  start.cgroup2 = birthplace ? birthplace.get() : group->unified_fd();
  RETURN_IF_ERROR(init.Start(start));
  if (!group.has_value()) {
    ASSIGN_OR_RETURN(group, MakeContainerGroup(spec));
  }
  ASSIGN_OR_RETURN(std::vector<UniqueFd> tasks, group->OpenTasks());
  ASSIGN_OR_RETURN(UniqueFd oom, OpenOomFile(options_.cgroups->layout(), group->path()));
  RETURN_IF_ERROR(EnsureAttached(spec.pod_uid));
  return init.Go({oom.get(), NumbersOf(tasks)});
}

// An instance that has a directory but no record of an end or a start: nobody got further, or
// somebody is at it right now.
absl::StatusOr<std::optional<ContainerState>> KernelRuntime::FindHalfStarted(
    const ContainerSpec& spec, const PodDirectory& directory) const {
  const std::string instance = directory.instance(spec.name, spec.attempt);
  if (access(instance.c_str(), F_OK) != 0) return std::optional<ContainerState>();
  auto records = QueryInit(spec.pod_uid);
  if (!records.ok() && !absl::IsNotFound(records.status())) return records.status();
  for (const InitRecord& record : records.ok() ? *records : std::vector<InitRecord>()) {
    if (record.name != spec.name || record.attempt != spec.attempt) continue;
    if (record.phase != init::Phase::kStarting) return std::optional(StateOf(record));
    return absl::UnavailableError(absl::StrCat("container ", spec.name, " is being started"));
  }
  // An overlay is not mounted a second time over what a first one left.
  for (const char* part : {"/upper", "/work"}) RETURN_IF_ERROR(RemoveTree(instance + part));
  return std::optional<ContainerState>();
}

absl::StatusOr<ContainerState> KernelRuntime::StartContainer(const ContainerSpec& spec) {
  RETURN_IF_ERROR(CheckContainer(spec.pod_uid, spec.name, spec.attempt));
  const Precedence::Start start(&precedence_);
  const PodDirectory directory = DirectoryOf(spec.pod_uid);
  if (auto ended = directory.ReadInstance(spec.name, spec.attempt); ended.has_value()) {
    if (ended->phase == ContainerPhase::kExited) return *ended;
    // Started, and no word of its end: it runs, or its cluster-init died.
    ASSIGN_OR_RETURN(const std::vector<ContainerState> states, Poll(spec.pod_uid));
    for (const ContainerState& state : states) {
      if (state.name == spec.name && state.attempt == spec.attempt) return state;
    }
    return *ended;
  }
  ASSIGN_OR_RETURN(const std::optional<ContainerState> half, FindHalfStarted(spec, directory));
  if (half.has_value()) return *half;
  auto init = Connect(spec.pod_uid);
  if (absl::IsNotFound(init.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("pod ", spec.pod_uid, " has no sandbox: prepare it first"));
  }
  RETURN_IF_ERROR(init.status());
  auto record = Launch(spec, directory, *init);
  if (!record.ok()) {
    return Annotate(record.status(), absl::StrCat("start container ", spec.name));
  }
  sweeper_.Post([this, spec] {
    HoldOnTo(spec.pod_uid, spec.name, spec.attempt);
    SettlePod(spec.pod_uid);
    OrderSpares();
    if (spec.attempt > 0) ForgetOlderInstances(spec);
  });
  return StateOf(*record);
}

// The files that an ended instance wrote, and its cgroup. Exit record and log of the last one stay,
// for whoever asks what happened before the restart.
void KernelRuntime::ForgetOlderInstances(const ContainerSpec& spec) {
  const PodDirectory directory = DirectoryOf(spec.pod_uid);
  std::map<std::string, std::vector<int32_t>> instances = directory.ListInstances();
  for (const int32_t attempt : instances[spec.name]) {
    if (attempt >= spec.attempt) continue;
    if (attempt < spec.attempt - 1) {
      const absl::Status removed = directory.RemoveInstance(spec.name, attempt);
      if (!removed.ok()) LOG_WARN("{}: {}", directory.state(), std::string(removed.message()));
    }
    const std::string instance = directory.instance(spec.name, attempt);
    if (unlink((instance + "/" + kTerminationFile).c_str()) != 0 && errno != ENOENT) {
      LOG_WARN("{}: unlink {}: {}", instance, kTerminationFile, std::string(ErrnoName(errno)));
    }
    for (const char* part : {"/upper", "/work"}) {
      const absl::Status removed = RemoveTree(instance + part);
      if (!removed.ok()) LOG_WARN("{}: {}", instance, std::string(removed.message()));
    }
    const absl::Status removed =
        options_.cgroups->RemoveLeaf(spec.pod_uid, LeafOf(spec.name, attempt));
    if (!removed.ok()) LOG_WARN("{}: {}", instance, std::string(removed.message()));
  }
}

absl::Status KernelRuntime::Signal(const ContainerId& id, int signal) {
  RETURN_IF_ERROR(CheckContainer(id.pod_uid, id.name, id.attempt));
  auto init = Connect(id.pod_uid);
  if (absl::IsNotFound(init.status())) return absl::OkStatus();  // nothing of it runs any more
  RETURN_IF_ERROR(init.status());
  const absl::Status sent = init->Signal(id.name, id.attempt, signal);
  // Not known to it: an older instance, or one from before it was started again. Both have ended.
  return absl::IsNotFound(sent) ? absl::OkStatus() : sent;
}

absl::StatusOr<std::vector<InitRecord>> KernelRuntime::QueryInit(const std::string& uid) const {
  ASSIGN_OR_RETURN(InitClient init, Connect(uid));
  return init.Query();
}

std::vector<ContainerState> KernelRuntime::RecordedStates(const std::string& uid) const {
  const PodDirectory directory = DirectoryOf(uid);
  std::vector<ContainerState> states;
  for (const auto& [container, attempts] : directory.ListInstances()) {
    for (auto attempt = attempts.rbegin(); attempt != attempts.rend(); ++attempt) {
      const auto state = directory.ReadInstance(container, *attempt);
      if (!state.has_value()) continue;  // recorded, never started
      states.push_back(*state);
      break;
    }
  }
  return states;
}

absl::StatusOr<std::vector<ContainerState>> KernelRuntime::StatesOf(const std::string& uid,
                                                                    bool* alive) {
  std::map<std::string, ContainerState> newest;
  const auto add = [&newest](const ContainerState& state) {
    const auto [at, fresh] = newest.try_emplace(state.name, state);
    if (!fresh && state.attempt >= at->second.attempt) at->second = state;
  };
  auto records = QueryInit(uid);
  // It may have died under the question; the second time nobody listens.
  if (absl::IsUnavailable(records.status())) records = QueryInit(uid);
  *alive = records.ok();
  if (!records.ok() && !absl::IsNotFound(records.status())) return records.status();
  // The files first: what cluster-init says of the same instance is newer.
  for (const ContainerState& state : RecordedStates(uid)) add(state);
  if (records.ok()) {
    for (const InitRecord& record : *records) {
      // Nothing of it has run yet, and it may be taken back: then there never was one.
      if (record.phase != init::Phase::kStarting) add(StateOf(record));
    }
  }
  std::vector<ContainerState> states;
  for (auto& [name, state] : newest) {
    if (state.phase == ContainerPhase::kExited) {
      auto words = DirectoryOf(uid).ReadTermination(name, state.attempt);
      if (!words.ok()) LOG_WARN("pod {}: {}", uid, std::string(words.status().message()));
      state.termination_message = words.value_or("");
    }
    states.push_back(std::move(state));
  }
  return states;
}

}  // namespace cluster::node
