// What a pod's worker does about resizes: see resize.h for what there is to do.
#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "node/pod/pod_worker.h"

namespace cluster::node {
namespace {

// Until a pod that could not be resized is tried again, if nothing else happens.
constexpr absl::Duration kResizeRetry = absl::Seconds(10);

}  // namespace

void PodWorker::AdmitResize(const Moment& now) {
  std::string reason;
  std::string message;
  if (WantsResize(record_)) {
    const auto decide = [&](const NodeRoom& node) {
      const Room room = RoomFor(record_, node);
      if (record_.resize_refused() == WantedMark(record_)) {
        reason = "Infeasible";
        message = record_.resize_message();
      } else if (room == Room::kEnough) {
        Grant(&record_);
        record_.clear_resize_refused();
        resize_retry_at_ = now.monotonic;
        MutexLock lock(&mutex_);
        snapshot_ = record_;
      } else {
        reason = room == Room::kNever ? "Infeasible" : "Deferred";
        message = RoomMessage(room, record_, node);
      }
    };
    if (world_->with_room) {
      world_->with_room(record_.uid(), decide);
    } else {
      decide(NodeRoom());
    }
  } else {
    record_.clear_resize_refused();
  }
  if (!reason.empty() && reason != record_.resize_reason()) {
    Emit("Warning", absl::StrCat("Resize", reason), message, "");
  }
  record_.set_resize_reason(reason);
  record_.set_resize_message(message);
}

bool PodWorker::ResizeIsDue(const Moment& now) const {
  // Also while none runs: one that is restarted for it may want more than its pod's group has yet.
  const bool there = sandbox_.has_value() || AnyRuns(record_);
  // The dear question last: it reckons all amounts of the pod anew.
  return there && !IsEnding(record_) && !IsFinishing(record_) &&
         now.monotonic >= resize_retry_at_ && ContainersToRestart(record_).empty() &&
         HasToResize(record_);
}

void PodWorker::Resize(const Moment& now) {
  const absl::StatusOr<ResizeSpec> spec = ResizeSpecOf(record_);
  const absl::Status status = spec.ok() ? world_->runtime->Resize(*spec) : spec.status();
  if (status.ok()) {
    NoteResized(&record_);
    record_.clear_resize_error();
    Emit("Normal", "ResizeCompleted", "The pod has its new resources", "");
    return;
  }
  resize_retry_at_ = now.monotonic + kResizeRetry;
  const std::string message(status.message());
  if (absl::IsInvalidArgument(status)) {
    // It never will: the next round says so.
    record_.set_resize_refused(WantedMark(record_));
    record_.set_resize_message(message);
    record_.clear_resize_error();
    Revoke(&record_);
    return;
  }
  if (message == record_.resize_error()) return;
  record_.set_resize_error(message);
  Emit("Warning", "ResizeError", message, "");
}

}  // namespace cluster::node
