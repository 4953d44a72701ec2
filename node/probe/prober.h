// Runs the probes and hooks of all pods of the node: the schedule says when, the loop carries out.
// Costs one sleeping thread between firings.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "node/probe/check_loop.h"
#include "node/probe/probe_schedule.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

// Thread-safe.
class Prober {
 public:
  // Both outlive the prober. Errors: see CheckLoop.
  static absl::StatusOr<std::unique_ptr<Prober>> Start(Runtime* runtime, const Clock* clock);
  ~Prober();

  // Called, from the loop's thread, with a pod's uid when there is news of it.
  void SetListener(std::function<void(const std::string& pod_uid)> listener);

  // What is probed in the pod from now on, instead of what was before.
  void Set(const std::string& pod_uid, std::vector<ProbeTarget> targets);
  ProbeNews TakeNews(const std::string& pod_uid);

  // Begins a hook; `done` is called once, unless the prober is stopped before.
  void RunHook(HookRun run, std::function<void(absl::Status)> done);

  // Ends all that is under way.
  void Stop();

 private:
  Prober(Runtime* runtime, const Clock* clock) : runtime_(runtime), clock_(clock) {}
  absl::Duration Fire(absl::Duration now);
  void Finish(const Firing& firing, ProbeOutcome outcome);

  Runtime* const runtime_;
  const Clock* const clock_;
  Mutex mutex_;
  ProbeSchedule schedule_ ABSL_GUARDED_BY(mutex_);
  std::function<void(const std::string&)> listener_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<CheckLoop> loop_;
};

}  // namespace cluster::node
