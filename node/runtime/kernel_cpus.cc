// KernelRuntime's cpus that belong to one container alone (KernelRuntimeOptions::cpus).
//
// Only the groups of containers and of cluster-inits say which cpus they run on: the container's
// own ones, or the common rest, which is written anew to all the others when it changes. What was
// given is recorded before (a line "CONTAINER CPUS" in the pod's file `cpus`) and adopted from
// there.
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
  const std::string holder = HolderOf(spec.pod_uid, spec.name);
  CpuSet given;
  bool fresh = false;
  {
    MutexLock lock(&mutex_);
    fresh = cpus_.Of(holder).empty();
    ASSIGN_OR_RETURN(given, cpus_.Give(holder, spec.resources.whole_cpus));
    if (fresh) ++cpus_version_;
  }
  if (!fresh) return FormatCpus(given);
  const std::string path = DirectoryOf(spec.pod_uid).cpus();
  auto before = ReadFile(path);
  if (!before.ok() && !absl::IsNotFound(before.status())) return before.status();
  RETURN_IF_ERROR(ReplaceFile(
      path, absl::StrCat(before.value_or(""), spec.name, " ", FormatCpus(given), "\n"), 0600));
  RETURN_IF_ERROR(MoveToCommonCpus());
  return FormatCpus(given);
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
    if (!cpus_.Return(HolderOf(uid, ""))) return absl::OkStatus();
    ++cpus_version_;
  }
  return MoveToCommonCpus();
}

absl::Status KernelRuntime::AdoptCpus(const std::string& uid) {
  if (options_.cpus.empty()) return absl::OkStatus();
  const auto record = ReadFile(DirectoryOf(uid).cpus());
  if (absl::IsNotFound(record.status())) return absl::OkStatus();
  RETURN_IF_ERROR(record.status());
  for (const absl::string_view line : absl::StrSplit(*record, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    ASSIGN_OR_RETURN(const CpuSet cpus, ParseCpus(words.second));
    MutexLock lock(&mutex_);
    RETURN_IF_ERROR(cpus_.Adopt(HolderOf(uid, words.first), cpus));
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
    return absl::InvalidArgumentError(
        absl::StrCat("container ", container.name, " of pod ", sandbox.name, " has cpus ",
                     FormatCpus(own), " for itself; their number changes only with a new pod"));
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
