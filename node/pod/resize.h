// Changes of cpu and memory of a pod that runs, as Kubernetes has them. Pure.
//
// Three states of a container's resources: what its manifest wants, what the node has granted
// (ContainerRecord::granted: admitted against the node's room, and what every later instance starts
// with), and what is set in its cgroup (ContainerRecord::actual). The first becomes the second when
// there is room, the second becomes the third by the runtime's Resize, or by a restart where
// resizePolicy asks for one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cluster/v1/node_state.pb.h"
#include "node/runtime/resources.h"

namespace cluster::node {

// Requests of a pod as a whole.
struct PodRequests {
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
};

enum class Room {
  kEnough,
  kLater,  // when other pods have gone
  kNever,  // the node as a whole has not so much
};

// What pods together may request on this node; 0 = not known: everything fits.
struct NodeRoom {
  PodRequests allocatable;
  PodRequests others;  // of all other pods that have not ended
};

// Containers of the manifest with what is granted instead of what is wanted: what the node makes of
// the pod. A container that was granted nothing yet has what it wants.
v1::PodSpec GrantedSpec(const v1::PodRecord& record);

PodRequests WantedRequests(const v1::PodRecord& record);
PodRequests GrantedRequests(const v1::PodRecord& record);

// True when a container that was granted something wants something else.
bool WantsResize(const v1::PodRecord& record);
// Of what a pod that wants a resize wants. Less than it was granted is always there.
Room RoomFor(const v1::PodRecord& record, const NodeRoom& node);
// Why it has to wait, or cannot be: a sentence for the condition PodResizePending.
std::string RoomMessage(Room room, const v1::PodRecord& record, const NodeRoom& node);

// cpu and memory of a node's allocatable; 0 for what is not there.
PodRequests RequestsIn(const std::map<std::string, std::string>& allocatable);

// What is wanted becomes what is granted.
void Grant(v1::PodRecord* record);
// The runtime can never set what was granted: what is set is what is granted.
void Revoke(v1::PodRecord* record);
// What is wanted, as text to compare.
std::string WantedMark(const v1::PodRecord& record);

// Running containers whose instance has to end for what was granted.
std::vector<std::string> ContainersToRestart(const v1::PodRecord& record);
// True when what is set is not what was granted, for a running container or the pod as a whole.
bool HasToResize(const v1::PodRecord& record);
// What the runtime is asked for: the pod, and its running containers.
absl::StatusOr<ResizeSpec> ResizeSpecOf(const v1::PodRecord& record);
// A sandbox was made with what is granted.
void NoteSandbox(v1::PodRecord* record);
// The runtime did it.
void NoteResized(v1::PodRecord* record);
// An instance was started with what was granted.
void NoteStarted(const std::string& container, v1::PodRecord* record);

// "resize": ContainerRecord::stop_reason of an instance that ends for it.
inline constexpr char kResizeStop[] = "resize";

}  // namespace cluster::node
