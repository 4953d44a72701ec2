#include "node/probe/prober.h"

#include <utility>

#include "base/status.h"

namespace cluster::node {

absl::StatusOr<std::unique_ptr<Prober>> Prober::Start(Runtime* runtime, const Clock* clock) {
  std::unique_ptr<Prober> prober(new Prober(runtime, clock));
  ASSIGN_OR_RETURN(prober->loop_, CheckLoop::Start(clock, [raw = prober.get()](absl::Duration now) {
                     return raw->Fire(now);
                   }));
  return prober;
}

Prober::~Prober() { Stop(); }

void Prober::Stop() {
  if (loop_ != nullptr) loop_->Stop();
}

void Prober::SetListener(std::function<void(const std::string& pod_uid)> listener) {
  MutexLock lock(&mutex_);
  listener_ = std::move(listener);
}

void Prober::Set(const std::string& pod_uid, std::vector<ProbeTarget> targets) {
  {
    MutexLock lock(&mutex_);
    schedule_.Set(pod_uid, std::move(targets), clock_->Monotonic());
  }
  loop_->Wake();
}

ProbeNews Prober::TakeNews(const std::string& pod_uid) {
  MutexLock lock(&mutex_);
  return schedule_.TakeNews(pod_uid);
}

absl::Duration Prober::Fire(absl::Duration now) {
  std::vector<Firing> firings;
  absl::Duration next;
  {
    MutexLock lock(&mutex_);
    firings = schedule_.TakeDue(now);
    next = schedule_.NextDue();
  }
  for (Firing& firing : firings) {
    std::unique_ptr<Check> check =
        MakeCheck(firing.action, CheckPurpose::kProbe, firing.pod_uid, firing.container, runtime_);
    const std::string uid = firing.pod_uid;
    const absl::Duration timeout = firing.timeout;
    loop_->Run(std::move(check), uid, timeout,
               [this, firing = std::move(firing)](ProbeOutcome outcome) {
                 Finish(firing, std::move(outcome));
               });
  }
  return next;
}

void Prober::Finish(const Firing& firing, ProbeOutcome outcome) {
  std::function<void(const std::string&)> listener;
  {
    MutexLock lock(&mutex_);
    if (schedule_.Absorb(firing, std::move(outcome), clock_->Monotonic())) listener = listener_;
  }
  if (listener) listener(firing.pod_uid);
}

void Prober::RunHook(HookRun run, std::function<void(absl::Status)> done) {
  absl::Duration timeout = run.timeout;
  bool sleeps = false;
  if (const auto* sleep = std::get_if<SleepAction>(&run.action)) {
    sleeps = sleep->time <= timeout;
    timeout = std::min(sleep->time, timeout);
  }
  loop_->Run(MakeCheck(run.action, CheckPurpose::kHook, run.pod_uid, run.container, runtime_),
             run.pod_uid, timeout, [done = std::move(done), sleeps](ProbeOutcome outcome) {
               const bool well = sleeps || outcome.verdict == Verdict::kSuccess;
               done(well ? absl::OkStatus() : absl::FailedPreconditionError(outcome.message));
             });
}

}  // namespace cluster::node
