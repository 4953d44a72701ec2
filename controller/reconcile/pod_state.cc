#include "controller/reconcile/pod_state.h"

#include <utility>

#include "controller/reconcile/conditions.h"
#include "proto/schema/pod_resources.h"

namespace cluster::controller {
namespace {

constexpr int64_t kDefaultGraceSeconds = 30;

// A clock that went back by less was corrected, not set.
constexpr absl::Duration kCorrection = absl::Seconds(1);

absl::Time AvailableSince(const PodMarks& marks, absl::Duration min_ready, absl::Time now) {
  if (!marks.active() || !marks.ready) return absl::InfiniteFuture();
  if (min_ready <= absl::ZeroDuration() || marks.ready_since > now + kCorrection)
    return absl::InfinitePast();
  return marks.ready_since + min_ready;
}

}  // namespace

bool IsFinished(const v1::Pod& pod) {
  return pod.status().phase() == v1::POD_PHASE_SUCCEEDED ||
         pod.status().phase() == v1::POD_PHASE_FAILED;
}

bool IsActive(const v1::Pod& pod) { return !IsFinished(pod) && !IsTerminating(pod); }

bool IsReady(const v1::Pod& pod) { return MarksOf(pod).ready; }

bool IsAvailable(const v1::Pod& pod) { return IsActive(pod) && IsReady(pod); }

absl::Time AvailableAt(const v1::Pod& pod, absl::Duration min_ready, absl::Time now) {
  return AvailableSince(MarksOf(pod), min_ready, now);
}

absl::Time AvailableAt(const Entry& pod, absl::Duration min_ready, absl::Time now) {
  return AvailableSince(pod.marks, min_ready, now);
}

bool HoldsResources(const v1::Pod& pod) { return IsBound(pod) && !IsFinished(pod); }

v1::PodStatus NewPodStatus(const v1::PodSpec& spec) {
  v1::PodStatus status;
  status.set_phase(v1::POD_PHASE_PENDING);
  status.set_qos_class(QosOf(spec));
  return status;
}

void StampDeletion(absl::Time now, std::optional<int64_t> grace, v1::Pod* pod) {
  const int64_t own = pod->spec().has_termination_grace_period_seconds()
                          ? pod->spec().termination_grace_period_seconds()
                          : kDefaultGraceSeconds;
  const int64_t seconds = grace.value_or(own);
  pod->mutable_metadata()->set_deletion_grace_period_seconds(seconds);
  *pod->mutable_metadata()->mutable_deletion_timestamp() = Seconds(now + absl::Seconds(seconds));
}

void MarkDisrupted(absl::string_view reason, std::string message, absl::Time now, v1::Pod* pod) {
  SetCondition({"DisruptionTarget", v1::CONDITION_STATUS_TRUE, reason, std::move(message)}, now,
               pod->mutable_status()->mutable_conditions());
}

void MarkFailed(std::string message, v1::Pod* pod) {
  pod->mutable_status()->set_phase(v1::POD_PHASE_FAILED);
  pod->mutable_status()->set_message(std::move(message));
}

void EndPod(const Entry& entry, absl::Time now, std::optional<int64_t> grace, Changes* changes) {
  const v1::Pod& pod = entry.object.pod();
  const bool held = !pod.metadata().finalizers().empty();
  if (!IsBound(pod) && !held) {
    changes->Delete(entry);
    return;
  }
  if (IsTerminating(pod)) return;
  v1::Object ended = entry.object;
  // Without a node there is nothing that takes time to end.
  StampDeletion(now, IsBound(pod) ? grace : 0, ended.mutable_pod());
  changes->Put(entry, std::move(ended));
}

}  // namespace cluster::controller
