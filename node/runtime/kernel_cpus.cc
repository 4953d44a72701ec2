// KernelRuntime's cpus that belong to one container alone (KernelRuntimeOptions::cpus).
//
// Only the groups of containers and of cluster-inits say which cpus they run on: the container's
// own ones, or the common rest, which is written anew to all the others when it changes. What was
// given is recorded before (a line "CONTAINER CPUS" in the pod's file `cpus`, " until-end" after it
// for what an init container gives back) and adopted from there. A container keeps its cpus over
// restarts of itself and of the agent, and gets others when it is restarted with another number.
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/runtime/kernel_runtime.h"

namespace cluster::node {
namespace {

std::string HolderOf(const std::string& uid, const std::string& container) {
  return absl::StrCat(uid, "/", container);
}

// "web-0" is an instance of "web"; cluster-init is of no container.
std::string ContainerOf(const std::string& leaf) {
  return leaf == kInitLeaf ? "" : leaf.substr(0, leaf.rfind('-'));
}

struct CpuRecord {
  CpuSet cpus;
  bool until_end = false;
};
using CpuRecords = std::map<std::string, CpuRecord>;  // by container

constexpr char kUntilEnd[] = "until-end";

absl::StatusOr<CpuRecords> ReadCpuRecords(const std::string& path) {
  CpuRecords records;
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return records;
  RETURN_IF_ERROR(text.status());
  for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() < 2) {
      return absl::DataLossError(absl::StrCat(path, ": '", line, "' names no cpus"));
    }
    CpuRecord& record = records[words[0]];
    ASSIGN_OR_RETURN(record.cpus, ParseCpus(words[1]));
    record.until_end = words.size() > 2 && words[2] == kUntilEnd;
  }
  return records;
}

// One that has none is left out.
absl::Status RecordCpus(const std::string& path, const std::string& container,
                        const CpuRecord& held) {
  ASSIGN_OR_RETURN(CpuRecords records, ReadCpuRecords(path));
  records[container] = held;
  std::string text;
  for (const auto& [name, record] : records) {
    if (record.cpus.empty()) continue;
    absl::StrAppend(&text, name, " ", FormatCpus(record.cpus));
    absl::StrAppend(&text, record.until_end ? " " : "", record.until_end ? kUntilEnd : "", "\n");
  }
  return ReplaceFile(path, text, 0600);
}

// The newest instance of the container.
bool HasEnded(const PodDirectory& directory, const std::string& container) {
  const std::vector<int32_t> attempts = directory.ListInstances()[container];
  if (attempts.empty()) return false;
  const auto state = directory.ReadInstance(container, attempts.back());
  return state.has_value() && state->phase == ContainerPhase::kExited;
}

}  // namespace

std::string KernelRuntime::CommonCpus(int64_t* version) {
  MutexLock lock(&mutex_);
  *version = cpus_version_;
  return options_.cpus.empty() ? "" : FormatCpus(cpus_.Common());
}

absl::StatusOr<CgroupGroup> KernelRuntime::MakeCommonLeaf(const std::string& uid,
                                                          const std::string& leaf,
                                                          CgroupLimits limits) {
  for (;;) {
    int64_t version = 0;
    limits.cpuset_cpus = CommonCpus(&version);
    ASSIGN_OR_RETURN(CgroupGroup group, options_.cgroups->MakeLeaf(uid, leaf, limits));
    int64_t now = 0;
    (void)CommonCpus(&now);
    // Otherwise whoever changed them meanwhile may not have seen this group.
    if (now == version) return group;
  }
}

absl::StatusOr<std::string> KernelRuntime::GiveCpus(const ContainerSpec& spec) {
  const int count = options_.cpus.empty() ? 0 : spec.resources.whole_cpus;
  ASSIGN_OR_RETURN(const CpuSet given,
                   HoldCpus(spec.pod_uid, spec.name, count, spec.runs_before_others));
  return FormatCpus(given);
}

// Those that it has and does not get again stay its own until the record says so, and those that
// are new become its own before: whenever the agent dies, nobody else has one of them.
absl::StatusOr<CpuSet> KernelRuntime::HoldCpus(const std::string& uid, const std::string& container,
                                               int count, bool until_end) {
  const std::string holder = HolderOf(uid, container);
  CpuSet before;
  CpuSet given;
  {
    MutexLock lock(&mutex_);
    before = cpus_.Of(holder);
    if (count == 0 && before.empty()) return given;
    if (count > 0) {
      ASSIGN_OR_RETURN(given, cpus_.Choose(holder, count));
    }
    CpuSet both = before;
    both.insert(given.begin(), given.end());
    RETURN_IF_ERROR(cpus_.Adopt(holder, both));
  }
  absl::Status done;
  if (given != before) {
    done = RecordCpus(DirectoryOf(uid).cpus(), container, {given, until_end});
    MutexLock lock(&mutex_);
    RETURN_IF_ERROR(cpus_.Adopt(holder, done.ok() ? given : before));
    cpus_until_end_.erase(holder);
    if (until_end && !cpus_.Of(holder).empty()) cpus_until_end_.insert(holder);
    ++cpus_version_;
  }
  done.Update(SettleCpus());
  RETURN_IF_ERROR(done);
  return given;
}

// Two at a time may write in any order: the last to end has written what holds then.
absl::Status KernelRuntime::SettleCpus() {
  for (;;) {
    int64_t version = 0;
    {
      MutexLock lock(&mutex_);
      if (cpus_settled_ == cpus_version_) return absl::OkStatus();
      version = cpus_version_;
    }
    RETURN_IF_ERROR(MoveToCommonCpus());
    MutexLock lock(&mutex_);
    if (version == cpus_version_) cpus_settled_ = version;
  }
}

absl::Status KernelRuntime::MoveToCommonCpus() {
  int64_t version = 0;
  const std::vector<ControlWrite> writes = [&] {
    CgroupLimits limits;
    limits.cpuset_cpus = CommonCpus(&version);
    std::vector<ControlWrite> all = PlanWrites(options_.cgroups->layout(), limits);
    std::erase_if(all, [](const ControlWrite& write) { return write.controller != "cpuset"; });
    return all;
  }();
  ASSIGN_OR_RETURN(const std::vector<FoundPod> pods, options_.cgroups->List());
  absl::Status first;
  for (const FoundPod& pod : pods) {
    for (const std::string& leaf : pod.leaves) {
      {
        MutexLock lock(&mutex_);
        if (!cpus_.Of(HolderOf(pod.uid, ContainerOf(leaf))).empty()) continue;
      }
      auto group = options_.cgroups->FindLeaf(pod.uid, leaf);
      const absl::Status moved = group.ok() ? group->Apply(writes) : group.status();
      // Gone meanwhile, or from before cpus were given out.
      if (!absl::IsNotFound(moved)) first.Update(moved);
    }
  }
  return first;
}

absl::Status KernelRuntime::ReturnCpus(const std::string& uid) {
  {
    MutexLock lock(&mutex_);
    const std::string prefix = HolderOf(uid, "");
    if (!cpus_.Return(prefix)) return absl::OkStatus();
    std::erase_if(cpus_until_end_,
                  [&](const std::string& holder) { return absl::StartsWith(holder, prefix); });
    ++cpus_version_;
  }
  return SettleCpus();
}

void KernelRuntime::ReturnCpusOfEnded(const std::string& uid, const ContainerState& ended) {
  {
    MutexLock lock(&mutex_);
    if (!cpus_until_end_.contains(HolderOf(uid, ended.name))) return;
  }
  const auto returned = HoldCpus(uid, ended.name, 0, false);
  // It is tried again with the next look.
  if (!returned.ok()) LOG_WARN("pod {}: cpus: {}", uid, std::string(returned.status().message()));
}

absl::Status KernelRuntime::AdoptCpus(const std::string& uid) {
  const PodDirectory directory = DirectoryOf(uid);
  if (options_.cpus.empty() || directory.IsReleased()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const CpuRecords records, ReadCpuRecords(directory.cpus()));
  for (const auto& [container, record] : records) {
    if (record.until_end && HasEnded(directory, container)) continue;
    MutexLock lock(&mutex_);
    RETURN_IF_ERROR(cpus_.Adopt(HolderOf(uid, container), record.cpus));
    if (record.until_end) cpus_until_end_.insert(HolderOf(uid, container));
    ++cpus_version_;
  }
  return absl::OkStatus();
}

absl::Status KernelRuntime::CheckCpusKept(const ResizeSpec& spec, const SandboxSpec& sandbox) {
  MutexLock lock(&mutex_);
  for (const ResizeSpec::Container& container : spec.containers) {
    const CpuSet own = cpus_.Of(HolderOf(spec.pod_uid, container.name));
    const int64_t milli = static_cast<int64_t>(own.size()) * 1000;
    if (own.empty() || container.resources.cpu_limit_milli == milli) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "container ", container.name, " of pod ", sandbox.name, " has cpus ", FormatCpus(own),
        " for itself; their number changes only when it is restarted ",
        "(resizePolicy: RestartContainer)"));
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
