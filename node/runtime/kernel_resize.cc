// KernelRuntime's way from one set of limits to another under running containers.
//
// A group's limit holds for everything below it, so a pod's group is as wide as both its old and
// its new limits while the containers change, and gets its own last.
#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "node/runtime/kernel_runtime.h"
#include "node/runtime/resource_limits.h"

namespace cluster::node {
namespace {

// A limit below what cannot be reclaimed would end in the death of a process.
absl::Status CheckRoom(const CgroupGroup& group, const std::string& what, int64_t memory_limit) {
  if (memory_limit <= 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const CgroupUsage usage, group.Usage());
  if (usage.memory_working_set_bytes <= memory_limit) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(what, " uses ", usage.memory_working_set_bytes >> 10,
                   "Ki of memory, more than its new limit ", memory_limit >> 10,
                   "Ki; it is resized once it uses less"));
}

}  // namespace

absl::Status KernelRuntime::Resize(const ResizeSpec& spec) {
  RETURN_IF_ERROR(CheckName("pod uid", spec.pod_uid));
  const PodDirectory directory = DirectoryOf(spec.pod_uid);
  ASSIGN_OR_RETURN(SandboxSpec sandbox, directory.ReadSandbox());
  RETURN_IF_ERROR(CheckCpusKept(spec, sandbox));
  // Nothing but cpu and memory changes.
  Resources resized = sandbox.resources;
  resized.cpu_request_milli = spec.pod.cpu_request_milli;
  resized.cpu_limit_milli = spec.pod.cpu_limit_milli;
  resized.memory_request = spec.pod.memory_request;
  resized.memory_limit = spec.pod.memory_limit;
  ASSIGN_OR_RETURN(const CgroupGroup pod, options_.cgroups->FindPod(spec.pod_uid));
  RETURN_IF_ERROR(CheckRoom(pod, "the pod", spec.pod.memory_limit));
  std::vector<std::pair<CgroupGroup, const ResizeSpec::Container*>> groups;
  for (const ResizeSpec::Container& container : spec.containers) {
    RETURN_IF_ERROR(CheckName("container name", container.name));
    auto group = options_.cgroups->FindLeaf(spec.pod_uid,
                                            absl::StrCat(container.name, "-", container.attempt));
    if (absl::IsNotFound(group.status())) continue;
    RETURN_IF_ERROR(group.status());
    RETURN_IF_ERROR(CheckRoom(*group, absl::StrCat("container ", container.name),
                              container.resources.memory_limit));
    groups.emplace_back(*std::move(group), &container);
  }

  const CgroupLayout& layout = options_.cgroups->layout();
  RETURN_IF_ERROR(pod.Apply(PlanWrites(layout, PodLimits(LooserOf(sandbox.resources, resized)))));
  for (const auto& [group, container] : groups) {
    RETURN_IF_ERROR(group.Apply(
        PlanWrites(layout, LimitsOf(layout, container->resources, options_.default_pids_limit))));
  }
  sandbox.resources = resized;
  RETURN_IF_ERROR(directory.WriteSandbox(sandbox));
  RETURN_IF_ERROR(pod.Apply(PlanWrites(layout, PodLimits(resized))));
  // One that read the record before it was written may come after this.
  sweeper_.Post([this, uid = spec.pod_uid] { SettlePod(uid); });
  return absl::OkStatus();
}

}  // namespace cluster::node
