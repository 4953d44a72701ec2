// What a pod as a whole asks for, from what its containers ask for. Pure. The scheduler, the QoS
// class and the pod's cgroup all count like this.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

#include "cluster/v1/pod.pb.h"

namespace cluster {

// Kubernetes' rule: the sum over containers and sidecars, or what the largest init container needs
// together with the sidecars that were started before it, whichever is more. `amount` is not
// negative; sums stop at int64's maximum.
int64_t EffectiveAmount(const v1::PodSpec& spec,
                        absl::FunctionRef<int64_t(const v1::Container& container)> amount);

// True when `holds` for every container that counts above: all but ephemeral ones.
bool EveryContainer(const v1::PodSpec& spec,
                    absl::FunctionRef<bool(const v1::Container& container)> holds);

// Guaranteed, Burstable or BestEffort, by requests and limits of cpu and memory.
v1::QosClass QosOf(const v1::PodSpec& spec);

constexpr bool IsSidecar(v1::ContainerRestartPolicy policy) {
  return policy == v1::CONTAINER_RESTART_POLICY_ALWAYS;
}

}  // namespace cluster
