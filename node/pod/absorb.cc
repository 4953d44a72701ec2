#include <algorithm>

#include "absl/strings/str_cat.h"

#include "node/pod/back_off.h"
#include "node/pod/decide.h"
#include "node/pod/message_text.h"
#include "node/pod/resize.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

// What containerd and Docker show for an end that nobody saw; never 0, which would lie.
constexpr int32_t kUnknownExitCode = 255;
constexpr int32_t kStartErrorExitCode = 128;
constexpr int64_t kDefaultGraceSeconds = 30;
// Of a pod that was replaced while its node was lost: the node is of no use before it has ended.
constexpr int64_t kReplacedGraceSeconds = 5;
// A node may run what exists once until its lease is over, which is about that long from now.
constexpr int64_t kLeaseGraceSeconds = 1;

int64_t Nanoseconds(absl::Duration duration) { return absl::ToInt64Nanoseconds(duration); }

v1::ContainerStateTerminated UnknownEnd(const v1::ContainerRecord& container, const Moment& now,
                                        absl::string_view why) {
  v1::ContainerStateTerminated end;
  end.set_exit_code(kUnknownExitCode);
  end.set_reason("ContainerStatusUnknown");
  end.set_message(std::string(why));
  if (container.has_started_at()) *end.mutable_started_at() = container.started_at();
  *end.mutable_finished_at() = ToTimestamp(now.wall);
  return end;
}

v1::ContainerStateTerminated EndOf(const ContainerState& seen) {
  v1::ContainerStateTerminated end;
  end.set_exit_code(seen.exit_code);
  end.set_signal(seen.signal);
  end.set_message(ToUtf8(seen.message.empty() ? seen.termination_message : seen.message));
  end.set_reason(seen.oom_killed ? "OOMKilled" : seen.exit_code == 0 ? "Completed" : "Error");
  if (!seen.message.empty() && !seen.oom_killed) {
    end.set_reason("StartError");
    if (seen.exit_code == 0) end.set_exit_code(kStartErrorExitCode);
  }
  if (seen.started_at > absl::UnixEpoch()) {
    *end.mutable_started_at() = ToTimestamp(seen.started_at);
  }
  // A wall clock that was set back must not show an end before its start.
  *end.mutable_finished_at() = ToTimestamp(std::max(seen.finished_at, seen.started_at));
  return end;
}

void End(v1::ContainerStateTerminated end, const v1::PodRecord& record, const Moment& now,
         v1::ContainerRecord* container) {
  const bool stable =
      container->started_ns() != 0 && Nanoseconds(now.monotonic) - container->started_ns() >=
                                          Nanoseconds(absl::Seconds(kStableSeconds));
  container->set_failures(stable ? 1 : container->failures() + 1);
  container->set_ended_ns(Nanoseconds(now.monotonic));
  container->set_pid(0);
  end.set_container_id(absl::StrCat("cluster://", record.assignment().pod().metadata().uid(), "/",
                                    container->name(), "/", container->attempt()));
  *container->mutable_terminated() = std::move(end);
  container->clear_started();
  container->clear_ready();
  if (container->kind() == v1::CONTAINER_KIND_INIT && container->terminated().exit_code() == 0) {
    container->set_init_done(true);
  }
}

// The runtime knows a newer instance than the record: the record was written by an older disk
// state.
void CatchUp(const ContainerState& seen, v1::ContainerRecord* container) {
  v1::ContainerRecord newer;
  newer.set_name(container->name());
  newer.set_kind(container->kind());
  newer.set_attempt(seen.attempt);
  newer.set_failures(container->failures());
  newer.set_init_done(container->init_done());
  newer.set_image_id(container->image_id());
  newer.set_stop_signal(container->stop_signal());
  if (container->has_granted()) *newer.mutable_granted() = container->granted();
  if (container->has_terminated()) {
    *newer.mutable_previous() = container->terminated();
  } else if (container->has_previous()) {
    *newer.mutable_previous() = container->previous();
  }
  *container = std::move(newer);
}

void AbsorbContainer(const ContainerState& seen, const v1::PodRecord& record, const Moment& now,
                     v1::ContainerRecord* container) {
  if (seen.attempt < container->attempt()) return;
  if (seen.attempt > container->attempt()) CatchUp(seen, container);
  container->set_intended(true);
  const Happening happening =
      seen.phase == ContainerPhase::kRunning ? Happening::kSeenRunning : Happening::kEnded;
  const Stage before = StageOf(*container);
  const std::optional<Stage> after = After(before, happening);
  if (!after || before == Stage::kTerminated) return;
  if (*after == Stage::kRunning) {
    container->set_pid(seen.pid);
    if (before == Stage::kRunning) return;
    *container->mutable_started_at() = ToTimestamp(seen.started_at);
    container->set_started_ns(std::max<int64_t>(1, Nanoseconds(now.monotonic)));
    return;
  }
  if (before == Stage::kWaiting && seen.started_at > absl::UnixEpoch() && seen.message.empty()) {
    *container->mutable_started_at() = ToTimestamp(seen.started_at);
  }
  End(seen.phase == ContainerPhase::kUnknown
          ? UnknownEnd(*container, now,
                       "It ended while nothing watched it: its cluster-init was killed.")
          : EndOf(seen),
      record, now, container);
}

void AbsorbAbsence(const v1::PodRecord& record, bool rebooted, const Moment& now,
                   v1::ContainerRecord* container) {
  const Stage stage = StageOf(*container);
  if (stage == Stage::kTerminated) return;
  // Within one life of the machine the runtime knows every instance that it ever started.
  const bool may_have_run = stage == Stage::kRunning || (rebooted && container->intended());
  if (!may_have_run) return;
  End(UnknownEnd(*container, now,
                 rebooted ? "The node was switched off while it ran."
                          : "It is gone from the node without a trace of its end."),
      record, now, container);
}

// Monotonic times of an earlier life of the machine mean nothing now: waits begin anew.
bool AbsorbReboot(const Moment& now, v1::PodRecord* record) {
  if (record->boot_id() == now.boot_id) return false;
  const int64_t now_ns = std::max<int64_t>(1, Nanoseconds(now.monotonic));
  record->set_boot_id(now.boot_id);
  for (v1::ContainerRecord& container : *record->mutable_containers()) {
    if (container.ended_ns() != 0) container.set_ended_ns(now_ns);
    if (container.started_ns() != 0) container.set_started_ns(now_ns);
  }
  if (record->stop_began_ns() != 0) {
    record->set_stop_began_ns(now_ns);
    record->set_kill_at_ns(now_ns);
  }
  record->clear_start_ns();
  return true;
}

// After a reboot the wall clock is all that knows how long the pod was active before.
void AbsorbStart(const Moment& now, v1::PodRecord* record) {
  if (record->start_ns() != 0) return;
  const absl::Duration active =
      std::max(absl::ZeroDuration(), now.wall - ToTime(record->start_time()));
  record->set_start_ns(Nanoseconds(now.monotonic - active));
}

int64_t GraceOf(const v1::PodSpec& spec) {
  return spec.has_termination_grace_period_seconds() ? spec.termination_grace_period_seconds()
                                                     : kDefaultGraceSeconds;
}

int64_t GraceSeconds(const v1::PodRecord& record) {
  if (!record.assigned()) return 0;
  const v1::Pod& pod = record.assignment().pod();
  int64_t grace = GraceOf(pod.spec());
  if (pod.metadata().has_deletion_grace_period_seconds()) {
    grace = pod.metadata().deletion_grace_period_seconds();
  }
  if (pod.status().reason() == "NodeLost") grace = std::min(grace, kReplacedGraceSeconds);
  // The node needs what it holds, now or soon.
  if (record.failing() && record.reason() == kEvicted) {
    grace = std::min(grace, record.eviction_grace_seconds());
  }
  if (record.failing() && record.reason() == kLeaseLost)
    grace = std::min(grace, kLeaseGraceSeconds);
  return std::max<int64_t>(0, grace);
}

// The end of an instance begins once; a later reason may only bring it forward.
void BeginStop(int64_t grace, int64_t kill_at, const Moment& now, v1::ContainerRecord* container) {
  if (container->stop_began_ns() == 0) {
    container->set_stop_began_ns(std::max<int64_t>(1, Nanoseconds(now.monotonic)));
    container->set_kill_at_ns(kill_at);
    container->set_stop_grace_seconds(grace);
  } else if (kill_at < container->kill_at_ns()) {
    container->set_kill_at_ns(kill_at);
    container->set_stop_grace_seconds(std::min(grace, container->stop_grace_seconds()));
  }
}

// One container ends while the pod goes on.
void StopAlone(const std::string& reason, int64_t grace, const Moment& now,
               v1::ContainerRecord* container) {
  if (container->stop_began_ns() != 0) return;
  container->set_stop_reason(reason);
  BeginStop(grace, Nanoseconds(now.monotonic + absl::Seconds(grace)), now, container);
}

// The end begins once; a second deletion may only shorten it.
void AbsorbStop(const Moment& now, v1::PodRecord* record) {
  if (!IsEnding(*record) && !IsFinishing(*record)) return;
  const int64_t now_ns = std::max<int64_t>(1, Nanoseconds(now.monotonic));
  const int64_t grace = GraceSeconds(*record);
  // Saturates: people write "never" as a very large number.
  const int64_t kill_at = Nanoseconds(now.monotonic + absl::Seconds(grace));
  if (record->stop_began_ns() == 0) {
    record->set_stop_began_ns(now_ns);
    record->set_kill_at_ns(kill_at);
    record->set_stop_grace_seconds(grace);
  } else if (grace < record->stop_grace_seconds()) {
    record->set_kill_at_ns(std::min(record->kill_at_ns(), kill_at));
    record->set_stop_grace_seconds(grace);
  }
  for (v1::ContainerRecord& container : *record->mutable_containers()) {
    if (StageOf(container) != Stage::kRunning) continue;
    BeginStop(record->stop_grace_seconds(), record->kill_at_ns(), now, &container);
  }
}

// What init containers did belongs to the sandbox that they did it in.
void AbsorbSandbox(const Observed& observed, v1::PodRecord* record) {
  if (!observed.sandbox) return;
  record->set_pod_ip(observed.ip);
  if (record->sandbox() == observed.sandbox_made_ns) return;
  if (record->sandbox() != 0) {
    record->set_initialized(false);
    for (v1::ContainerRecord& container : *record->mutable_containers()) {
      container.set_init_done(false);
    }
  }
  record->set_sandbox(observed.sandbox_made_ns);
}

void AbsorbHooks(const Observed& observed, const Moment& now, v1::PodRecord* record) {
  for (const HookEnd& end : observed.ended_hooks) {
    v1::ContainerRecord* container = MutableContainer(end.container, record);
    const bool current = container != nullptr && container->attempt() == end.attempt &&
                         StageOf(*container) == Stage::kRunning;
    if (!current) continue;
    if (end.kind == HookKind::kPreStop) {
      container->set_pre_stop_done(true);
    } else if (end.status.ok()) {
      container->set_post_start_done(true);
    } else {
      StopAlone("FailedPostStartHook", GraceOf(record->assignment().pod().spec()), now, container);
    }
  }
}

int64_t GraceAfter(ProbeKind kind, const v1::Container& spec, const v1::PodSpec& pod) {
  const v1::Probe& probe =
      kind == ProbeKind::kStartup ? spec.startup_probe() : spec.liveness_probe();
  return probe.has_termination_grace_period_seconds() ? probe.termination_grace_period_seconds()
                                                      : GraceOf(pod);
}

void AbsorbHealth(const Observed& observed, const v1::PodRecord& record, const Moment& now,
                  v1::ContainerRecord* container) {
  if (StageOf(*container) != Stage::kRunning) return;
  static const v1::Container kPlain;
  const v1::Container* const found = FindSpec(record, container->name());
  const v1::Container& spec = found == nullptr ? kPlain : *found;
  if (!spec.lifecycle().has_post_start()) container->set_post_start_done(true);
  if (!container->post_start_done()) return;
  const auto health =
      std::find_if(observed.health.begin(), observed.health.end(), [&](const Health& each) {
        return each.container == container->name() && each.attempt == container->attempt();
      });
  const bool known = health != observed.health.end();
  if (!spec.has_startup_probe() || (known && health->started)) container->set_started(true);
  const bool ready = !spec.has_readiness_probe() || (known ? health->ready : container->ready());
  container->set_ready(container->started() && ready);
  if (container->started() && container->kind() == v1::CONTAINER_KIND_SIDECAR) {
    container->set_init_done(true);
  }
  if (!known || !health->failed) return;
  const bool startup = *health->failed == ProbeKind::kStartup;
  StopAlone(startup ? "startup" : "liveness",
            GraceAfter(*health->failed, spec, record.assignment().pod().spec()), now, container);
}

void AbsorbResize(const Moment& now, v1::PodRecord* record) {
  for (const std::string& name : ContainersToRestart(*record)) {
    StopAlone(kResizeStop, GraceOf(record->assignment().pod().spec()), now,
              MutableContainer(name, record));
  }
}

void AbsorbDeadline(const Moment& now, v1::PodRecord* record) {
  const v1::PodSpec& spec = record->assignment().pod().spec();
  if (!spec.has_active_deadline_seconds() || IsEnding(*record) || IsFinishing(*record)) return;
  const absl::Duration deadline = absl::Seconds(spec.active_deadline_seconds());
  if (now.monotonic < absl::Nanoseconds(record->start_ns()) + deadline) return;
  Fail("DeadlineExceeded",
       absl::StrCat("Pod was active on the node longer than the specified deadline of ",
                    spec.active_deadline_seconds(), " seconds"),
       record);
}

bool Ran(const v1::ContainerRecord& container) {
  return StageOf(container) != Stage::kWaiting || container.attempt() > 0;
}

v1::PodPhase PhaseOf(const v1::PodRecord& record) {
  // Nothing of a pod that has ended runs.
  const bool runs = AnyRuns(record);
  if (record.failing() || InitFailed(record)) return runs ? record.phase() : v1::POD_PHASE_FAILED;
  bool any = false;
  bool all_ran = true;
  bool all_final = true;
  bool all_zero = true;
  for (const v1::ContainerRecord& container : record.containers()) {
    if (container.kind() != v1::CONTAINER_KIND_APP) continue;
    any = true;
    // As in Kubernetes a pod is running once every container was started.
    all_ran &= Ran(container);
    const bool final = StageOf(container) == Stage::kTerminated &&
                       (IsEnding(record) || !WantsRestart(record, container));
    all_final &= final;
    all_zero &= final && container.terminated().exit_code() == 0;
  }
  if (any && all_final && !runs) return all_zero ? v1::POD_PHASE_SUCCEEDED : v1::POD_PHASE_FAILED;
  return any && all_ran ? v1::POD_PHASE_RUNNING : v1::POD_PHASE_PENDING;
}

void AbsorbInitialized(v1::PodRecord* record) {
  record->set_initialized(
      std::all_of(record->containers().begin(), record->containers().end(),
                  [](const auto& each) { return !IsInitKind(each.kind()) || each.init_done(); }));
}

}  // namespace

void Absorb(const Observed& observed, const Moment& now, v1::PodRecord* record) {
  if (record->gone()) return;
  const bool rebooted = AbsorbReboot(now, record);
  AbsorbStart(now, record);
  for (v1::ContainerRecord& container : *record->mutable_containers()) {
    const auto seen =
        std::find_if(observed.containers.begin(), observed.containers.end(),
                     [&](const ContainerState& state) { return state.name == container.name(); });
    if (seen != observed.containers.end() && seen->attempt >= container.attempt()) {
      AbsorbContainer(*seen, *record, now, &container);
    } else {
      AbsorbAbsence(*record, rebooted, now, &container);
    }
  }
  AbsorbHooks(observed, now, record);
  for (v1::ContainerRecord& container : *record->mutable_containers()) {
    AbsorbHealth(observed, *record, now, &container);
  }
  AbsorbSandbox(observed, record);
  AbsorbInitialized(record);
  AbsorbDeadline(now, record);
  AbsorbResize(now, record);
  AbsorbStop(now, record);
  const v1::PodPhase phase = PhaseOf(*record);
  if (MayFollow(record->phase(), phase)) record->set_phase(phase);
}

}  // namespace cluster::node
