// Drives the pure rooms: waits for a change, looks, reconciles, schedules, commits, and again until
// nothing is to be done.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/strand.h"
#include "controller/cache/cache.h"
#include "controller/events/event_recorder.h"
#include "controller/reconcile/reconcile.h"
#include "controller/scheduler/scheduler.h"
#include "controller/store/store.h"

namespace cluster::controller {

struct LoopOptions {
  // How long further changes are gathered after the first.
  absl::Duration debounce = absl::Milliseconds(2);
  // After a pass that took long twice as long, up to this: others have work to do too.
  absl::Duration longest_debounce = absl::Milliseconds(250);
  // A lost hint costs one period (law 3).
  absl::Duration period = absl::Seconds(5);
  // So often a pass looks at everything, also at what is settled.
  absl::Duration look_at_all = absl::Minutes(10);
  bool i_am_not_partitioned = false;
  SchedulerOptions scheduler;
  // Of names and uids; another one at each start.
  uint64_t seed = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
};

// One thread of its own. A write is committed only where the object still is as it was seen; what
// is lost to a conflict is computed again.
class Loop {
 public:
  struct Parts {
    store::Store* store = nullptr;
    Cache* cache = nullptr;
    const Clock* clock = nullptr;
    EventRecorder* events = nullptr;
    std::function<NodeContacts()> contacts;
    // What pods use, never nullptr; told of each view, so that it knows whether anyone asks. May be
    // empty: then nothing is autoscaled.
    std::function<std::shared_ptr<const UsageSample>(const View&)> usage;
    // This process cannot go on: another one has the store, or the cache has stopped.
    std::function<void(absl::Status)> fatal;
    Executor* executor = nullptr;  // see base/strand.h
  };
  // All parts must outlive the loop; the store must have answered everything when it goes.
  static absl::StatusOr<std::unique_ptr<Loop>> Start(Parts parts, LoopOptions options = {});
  ~Loop();

  // Something outside of the store has changed. Any thread.
  void Wake();
  // Writes nothing more. The store may still answer what was written before.
  void Stop() { strand_.Stop(); }

 private:
  Loop(Parts parts, LoopOptions options);
  absl::Status Follow();
  absl::Status Look();
  // Nothing can have come of a pass now that did not come of the last one: nothing.
  bool IsAtRest(absl::Time now, const NodeContacts& contacts, int64_t sample) const;
  // Whether the wall clock was set since the last pass; then shift_ is by how much.
  void MindClock(absl::Time now, absl::Duration monotonic);
  // There are deadlines to move along first: then writes_ is that, and the pass comes after it.
  bool Shifts();
  void PassLater(absl::Duration delay);
  void Pass();
  absl::Duration Debounce() const;
  void Commit();
  void Submit(store::Txn txn, std::vector<Write> writes);
  void OnResult(store::Txn txn, std::vector<Write> writes, store::SubmitResult result);
  void EndPass();
  void NoteEvents();

  const Parts parts_;
  const LoopOptions options_;

  Strand strand_;

  // On the strand.
  View view_;
  Scheduler scheduler_;
  std::unique_ptr<CacheWatch> watch_;
  LossBrake brake_;
  AutoscaleBook autoscale_;
  Settled settled_;
  absl::Duration looked_at_all_ = -absl::InfiniteDuration();
  // What a pass looks at.
  struct Sight {
    store::Rev rev = 0;
    NodeContacts contacts;
    int64_t sample = 0;  // of usage; 0: nobody asks for any
  };
  std::optional<Sight> rested_;  // of the last pass, if it found nothing to do
  absl::Duration pass_took_;
  Random random_;
  bool due_ = false;      // a pass is asked for
  bool passing_ = false;  // its writes are being committed
  bool again_ = false;    // asked for meanwhile
  std::vector<Write> writes_;
  std::vector<EventNote> notes_;
  std::optional<absl::Time> wake_at_;
  store::Rev wait_for_ = 0;
  std::optional<absl::Time> zero_;  // the wall clock's time at the zero of the monotonic one
  absl::Duration shift_;            // by which stored times are to move
  bool full_ = false;
  int64_t timer_ = 0;
};

}  // namespace cluster::controller
