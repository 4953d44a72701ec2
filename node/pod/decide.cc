#include "node/pod/decide.h"

#include <algorithm>

#include "node/pod/back_off.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

// True when the hurdle still stands; then `decision` says when to try again.
bool Blocks(const Hurdle& hurdle, const Moment& now, Decision* decision) {
  if (hurdle.retry_at <= now.monotonic) return false;
  LookAgain(hurdle.retry_at, decision);
  return true;
}

// An init container that has ended well and runs again waits for nothing.
bool WaitsForBackOff(const v1::ContainerRecord& container) {
  return container.kind() != v1::CONTAINER_KIND_INIT || container.terminated().exit_code() != 0;
}

// Whether this container is to be started now; if later, `decision` says when.
bool StartIsDue(const v1::PodRecord& record, const v1::ContainerRecord& container,
                const Hurdles& hurdles, const Moment& now, Decision* decision) {
  const Stage stage = StageOf(container);
  if (stage == Stage::kRunning) return false;
  if (stage == Stage::kTerminated) {
    if (!WantsRestart(record, container)) return false;
    const absl::Duration due =
        absl::Nanoseconds(container.ended_ns()) + BackOff(container.failures());
    if (WaitsForBackOff(container) && now.monotonic < due) {
      LookAgain(due, decision);
      return false;
    }
  }
  const auto hurdle = hurdles.containers.find(container.name());
  return hurdle == hurdles.containers.end() || !Blocks(hurdle->second, now, decision);
}

// Goes through the containers in the order in which they may start, and keeps the first that is
// due.
class StartOrder {
 public:
  StartOrder(const v1::PodRecord& record, const Hurdles& hurdles, const Moment& now,
             Decision* decision)
      : record_(record), hurdles_(hurdles), now_(now), decision_(decision) {}

  // Empty when none is due.
  std::string Find() {
    Look(v1::CONTAINER_KIND_EPHEMERAL);
    if (LookAtInit()) LookAtApps();
    return first_;
  }

 private:
  void Consider(const v1::ContainerRecord& container) {
    if (StartIsDue(record_, container, hurdles_, now_, decision_) && first_.empty()) {
      first_ = container.name();
    }
  }
  void Look(v1::ContainerKind kind) {
    for (const v1::ContainerRecord& container : record_.containers()) {
      if (container.kind() == kind) Consider(container);
    }
  }
  // One after another; sidecars that were up come back whatever the ones after them do. False while
  // one of them is not done.
  bool LookAtInit() {
    bool all_done = true;
    for (const v1::ContainerRecord& container : record_.containers()) {
      if (!IsInitKind(container.kind())) continue;
      const bool its_turn = all_done && !container.init_done();
      const bool comes_back =
          container.init_done() && container.kind() == v1::CONTAINER_KIND_SIDECAR;
      if (its_turn || comes_back) Consider(container);
      all_done &= container.init_done();
    }
    return all_done;
  }
  // A hook after the start of one holds back the ones after it, as in Kubernetes.
  void LookAtApps() {
    for (const v1::ContainerRecord& container : record_.containers()) {
      if (container.kind() != v1::CONTAINER_KIND_APP) continue;
      Consider(container);
      if (StageOf(container) == Stage::kRunning && !container.post_start_done()) return;
    }
  }

  const v1::PodRecord& record_;
  const Hurdles& hurdles_;
  const Moment& now_;
  Decision* const decision_;
  std::string first_;
};

// `verb`: kRelease or kRemove.
Decision DecideRemoval(Verb verb, const Hurdles& hurdles, const Moment& now) {
  Decision decision;
  if (hurdles.removal && Blocks(*hurdles.removal, now, &decision)) return decision;
  decision.verb = verb;
  return decision;
}

Decision DecideHook(const v1::PodRecord& record, const Observed& observed) {
  Decision decision;
  for (const v1::ContainerRecord& container : record.containers()) {
    const bool due = StageOf(container) == Stage::kRunning && !container.post_start_done() &&
                     container.stop_began_ns() == 0;
    if (!due || observed.running_hooks.count(container.name()) != 0) continue;
    decision.verb = Verb::kRunHook;
    decision.container = container.name();
    decision.hook = HookKind::kPostStart;
    decision.hook_timeout = absl::InfiniteDuration();  // as in Kubernetes
    break;
  }
  return decision;
}

Decision DecideStart(const v1::PodRecord& record, const Observed& observed, const Hurdles& hurdles,
                     const Moment& now) {
  Decision decision;
  const std::string start = StartOrder(record, hurdles, now, &decision).Find();
  if (start.empty()) return decision;
  if (!observed.sandbox) {
    Decision wait;
    if (hurdles.sandbox && Blocks(*hurdles.sandbox, now, &wait)) return wait;
    decision.verb = Verb::kPrepareSandbox;
    return decision;
  }
  decision.verb = Verb::kStartContainer;
  decision.container = start;
  return decision;
}

}  // namespace

void LookAgain(absl::Duration at, Decision* decision) {
  decision->look_again_at = std::min(decision->look_again_at, at);
}

Decision Decide(const v1::PodRecord& record, const Observed& observed, const Hurdles& hurdles,
                const Moment& now) {
  if (record.gone()) return {};
  Decision stops = DecideStops(record, observed, hurdles, now);
  if (stops.verb != Verb::kNone) return stops;
  if (IsEnding(record)) return AnyRuns(record) ? stops : DecideRemoval(Verb::kRemove, hurdles, now);
  // What it holds is somebody else's by the scheduler's count; and memory and disk that pods were
  // evicted for have to come back.
  if (IsTerminal(record.phase()) && !AnyRuns(record) && !record.released()) {
    return DecideRemoval(Verb::kRelease, hurdles, now);
  }
  if (IsFinishing(record)) return stops;
  Decision decision = DecideHook(record, observed);
  if (decision.verb == Verb::kNone) decision = DecideStart(record, observed, hurdles, now);
  LookAgain(stops.look_again_at, &decision);
  const v1::PodSpec& spec = record.assignment().pod().spec();
  if (spec.has_active_deadline_seconds()) {
    LookAgain(absl::Nanoseconds(record.start_ns()) + absl::Seconds(spec.active_deadline_seconds()),
              &decision);
  }
  return decision;
}

}  // namespace cluster::node
