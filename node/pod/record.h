// Questions to a pod's record. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

#include "cluster/v1/node_state.pb.h"
#include "node/pod/transitions.h"

namespace cluster::node {

const v1::ContainerRecord* FindContainer(const v1::PodRecord& record, absl::string_view name);
v1::ContainerRecord* MutableContainer(absl::string_view name, v1::PodRecord* record);

// What the manifest says of it; nothing for an ephemeral container, see ContainerToRun.
const v1::Container* FindSpec(const v1::PodRecord& record, absl::string_view name);
// The same of every kind; nothing for a name that the manifest does not know.
std::optional<v1::Container> ContainerToRun(const v1::PodRecord& record, absl::string_view name);

// Runs before the pod's own containers: init containers and sidecars.
constexpr bool IsInitKind(v1::ContainerKind kind) {
  return kind == v1::CONTAINER_KIND_INIT || kind == v1::CONTAINER_KIND_SIDECAR;
}

// The container whose processes an ephemeral one is to see; "" for none.
std::string TargetOf(const v1::PodRecord& record, absl::string_view name);

// The pod must not run on two nodes at a time (law 8), and may be replaced when its node is lost:
// it is a StatefulSet's, or has a claim that is for one pod, unless its annotation says otherwise
// (proto/schema/pod_tuning.h).
bool ExistsOnce(const v1::PodRecord& record);

bool AnyRuns(const v1::PodRecord& record);

// True when the pod is to end and be removed: deletion was asked for, or the controller no longer
// knows it.
bool IsEnding(const v1::PodRecord& record);
// True when nothing of it is to run any more, for whatever reason: its containers have ended for
// good (and only sidecars are left), an init container has failed for good, or it has failed.
bool IsFinishing(const v1::PodRecord& record);
// An init container has failed, and the pod's policy is not to try again.
bool InitFailed(const v1::PodRecord& record);

// Whether another instance is wanted after this one, which has ended.
bool WantsRestart(const v1::PodRecord& record, const v1::ContainerRecord& container);

}  // namespace cluster::node
