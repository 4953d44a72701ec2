// What a pod's state means to those who count, place and end pods.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

#include "cluster/v1/pod.pb.h"
#include "controller/reconcile/changes.h"

namespace cluster::controller {

// Deletion was asked for.
inline bool IsTerminating(const v1::Pod& pod) { return pod.metadata().has_deletion_timestamp(); }
// Ended for good: Succeeded or Failed.
bool IsFinished(const v1::Pod& pod);
// Counts towards its owner's replicas: neither ended nor being ended.
bool IsActive(const v1::Pod& pod);
// Condition Ready is true.
bool IsReady(const v1::Pod& pod);
// Active and ready: serves.
bool IsAvailable(const v1::Pod& pod);
// Since when the pod counts as available: ready for `min_ready`. InfiniteFuture: it is not ready,
// or has ended or is ending. One that turned ready after `now` did so before the clock was set
// back: it counts at once, rather than when the clock has caught up.
absl::Time AvailableAt(const v1::Pod& pod, absl::Duration min_ready, absl::Time now);
// The same of what the cache holds, which has it at hand.
inline bool IsFinished(const Entry& pod) { return pod.marks.finished(); }
inline bool IsActive(const Entry& pod) { return pod.marks.active(); }
inline bool IsReady(const Entry& pod) { return pod.marks.ready; }
absl::Time AvailableAt(const Entry& pod, absl::Duration min_ready, absl::Time now);
inline bool IsBound(const v1::Pod& pod) { return !pod.spec().node_name().empty(); }
// Takes up room on its node: bound and not ended. A terminating pod does, until it is gone.
bool HoldsResources(const v1::Pod& pod);

// Status of a pod that was just made.
v1::PodStatus NewPodStatus(const v1::PodSpec& spec);

// Ends a pod: an unbound one is deleted at once, a bound one gets a deletion timestamp, and its
// node does the rest. One with finalizers stays until they are off. Nothing for one that is already
// ending. `grace` defaults to the pod's own.
void EndPod(const Entry& entry, absl::Time now, std::optional<int64_t> grace, Changes* changes);
// The part of it that stamps the pod.
void StampDeletion(absl::Time now, std::optional<int64_t> grace, v1::Pod* pod);

// What ended the pod was not the pod: its condition DisruptionTarget, which a job's
// podFailurePolicy may look at.
void MarkDisrupted(absl::string_view reason, std::string message, absl::Time now, v1::Pod* pod);
// Its end, of which no node will ever tell.
void MarkFailed(std::string message, v1::Pod* pod);

}  // namespace cluster::controller
