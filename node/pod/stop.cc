// How containers end: the preStop hook, the stop signal, SIGKILL, each when it is due; sidecars
// after what they serve.
#include <signal.h>

#include <algorithm>

#include "node/pod/decide.h"

namespace cluster::node {
namespace {

// How long a kill may take before it is asked for again.
constexpr absl::Duration kKillAgain = absl::Seconds(1);
// What a container has at least between signal and kill when its hook, or the wait for its turn,
// took the whole grace.
constexpr absl::Duration kShortestGrace = absl::Seconds(2);

bool HasPreStop(const v1::PodRecord& record, const v1::ContainerRecord& container) {
  const v1::Container* spec = FindSpec(record, container.name());
  return spec != nullptr && spec->lifecycle().has_pre_stop();
}

// Sidecars go after the containers that they serve, the one that was started last first.
bool ItsTurn(const v1::PodRecord& record, const v1::ContainerRecord& container) {
  if (container.kind() != v1::CONTAINER_KIND_SIDECAR || !container.stop_reason().empty()) {
    return true;
  }
  bool later = false;
  for (const v1::ContainerRecord& other : record.containers()) {
    const bool runs = StageOf(other) == Stage::kRunning;
    if (other.name() == container.name()) {
      later = true;
    } else if (other.kind() == v1::CONTAINER_KIND_SIDECAR) {
      if (later && runs) return false;
    } else if (other.kind() != v1::CONTAINER_KIND_EPHEMERAL && runs) {
      return false;
    }
  }
  return true;
}

Decision Kill(const v1::ContainerRecord& container, absl::Duration due, const Hurdles& hurdles,
              const Moment& now) {
  Decision decision;
  const auto last = hurdles.killed_at.find(container.name());
  if (last != hurdles.killed_at.end()) due = std::max(due, last->second + kKillAgain);
  if (now.monotonic < due) {
    LookAgain(due, &decision);
    return decision;
  }
  decision.verb = Verb::kKill;
  decision.container = container.name();
  return decision;
}

Decision DecideStop(const v1::PodRecord& record, const v1::ContainerRecord& container,
                    const Observed& observed, const Hurdles& hurdles, const Moment& now) {
  const absl::Duration grace = absl::Seconds(container.stop_grace_seconds());
  const absl::Duration kill_at = absl::Nanoseconds(container.kill_at_ns());
  if (grace <= absl::ZeroDuration()) return Kill(container, kill_at, hurdles, now);
  if (container.stop_signalled()) {
    const absl::Duration shortest =
        absl::Nanoseconds(container.signalled_ns()) + std::min(grace, kShortestGrace);
    return Kill(container, std::max(kill_at, shortest), hurdles, now);
  }
  Decision decision;
  decision.container = container.name();
  const bool hook_first = HasPreStop(record, container) && !container.pre_stop_done();
  if (now.monotonic < kill_at && (hook_first || !ItsTurn(record, container))) {
    LookAgain(kill_at, &decision);
    if (!hook_first || observed.running_hooks.count(container.name()) != 0) return decision;
    decision.verb = Verb::kRunHook;
    decision.hook = HookKind::kPreStop;
    decision.hook_timeout = kill_at - now.monotonic;
    return decision;
  }
  decision.verb = Verb::kSignal;
  decision.signal = container.stop_signal() == 0 ? SIGTERM : container.stop_signal();
  return decision;
}

}  // namespace

Decision DecideStops(const v1::PodRecord& record, const Observed& observed, const Hurdles& hurdles,
                     const Moment& now) {
  Decision all;
  for (const v1::ContainerRecord& container : record.containers()) {
    if (StageOf(container) != Stage::kRunning || container.stop_began_ns() == 0) continue;
    Decision one = DecideStop(record, container, observed, hurdles, now);
    if (one.verb != Verb::kNone) return one;
    LookAgain(one.look_again_at, &all);
  }
  return all;
}

}  // namespace cluster::node
