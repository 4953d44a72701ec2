// The pod state machine: pure functions of a record, what the runtime shows, and the time.
//
// The worker's round is: Absorb what the runtime shows into the record, make the record durable,
// Decide, do the one verb, begin again. Nothing here sees a thread, a clock, a file or a log.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cluster/v1/node_state.pb.h"
#include "node/pod/record.h"
#include "node/pod/transitions.h"
#include "node/probe/health.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

// Both clocks at one moment, and the life of the machine that the monotonic one counts in.
struct Moment {
  absl::Time wall;
  absl::Duration monotonic;
  std::string boot_id;
};

// What the runtime shows of one pod, and what probes and hooks found out.
struct Observed {
  bool sandbox = false;  // it exists and lives
  std::string ip;
  int64_t sandbox_made_ns = 0;
  std::vector<ContainerState> containers;
  std::vector<Health> health;
  // Hooks that run at this moment, by container; those that ended since the last round.
  std::set<std::string> running_hooks;
  std::vector<HookEnd> ended_hooks;
};

// Why something cannot be done now: the reason and message of a waiting container.
struct Hurdle {
  std::string reason;
  std::string message;
  // When to try again (monotonic); infinite: only when something changes.
  absl::Duration retry_at = absl::InfiniteDuration();
};

// What stands in the way of the next verbs. Kept by the worker, lost with the agent.
struct Hurdles {
  std::optional<Hurdle> sandbox;
  std::map<std::string, Hurdle> containers;  // by container
  std::optional<Hurdle> removal;
  // When Kill was last asked for, by container.
  std::map<std::string, absl::Duration> killed_at;
};

enum class Verb {
  kNone,
  kPrepareSandbox,
  kStartContainer,
  kRunHook,
  kSignal,
  kKill,
  kRelease,
  kRemove
};

struct Decision {
  Verb verb = Verb::kNone;
  std::string container;  // for all verbs but kPrepareSandbox, kRelease and kRemove
  int signal = 0;         // for kSignal
  // For kRunHook: which, and how long it may take.
  HookKind hook = HookKind::kPostStart;
  absl::Duration hook_timeout;
  // When to look again if nothing happens (monotonic).
  absl::Duration look_again_at = absl::InfiniteDuration();
};

// At that time, or sooner where something else asks for it.
void LookAgain(absl::Duration at, Decision* decision);

// The record of a pod that was just assigned.
v1::PodRecord NewRecord(const v1::Assignment& assignment, const Moment& now);

// Takes over a newer assignment (spec, deletion). The caller has checked the epoch.
void Reassign(const v1::Assignment& assignment, v1::PodRecord* record);

// Adds a record for each container of the manifest that has none: ephemeral ones come while the pod
// runs.
void AddContainers(v1::PodRecord* record);

// Writes what is observed into the record: starts, ends (each once, for ever), health, the address,
// the begin of the end of containers and of the pod, its phase.
void Absorb(const Observed& observed, const Moment& now, v1::PodRecord* record);

Decision Decide(const v1::PodRecord& record, const Observed& observed, const Hurdles& hurdles,
                const Moment& now);

// Makes `container` ready for kStartContainer: a new instance when the current one ended. To be
// made durable before the runtime is asked.
void BeginStart(const std::string& container, v1::PodRecord* record);

// The pod is to end as Failed, whatever its containers do. The first reason counts; nothing happens
// to a pod that has ended.
void Fail(const std::string& reason, const std::string& message, v1::PodRecord* record);

// Reason of a pod that the node ended because it was short of something.
inline constexpr char kEvicted[] = "Evicted";
// Reason of a pod that exists once and that the node ended as its lease was about to be over.
inline constexpr char kLeaseLost[] = "LeaseLost";

// The verbs that bring the containers to an end whose end has begun; kNone while they take their
// time, or when there are none.
Decision DecideStops(const v1::PodRecord& record, const Observed& observed, const Hurdles& hurdles,
                     const Moment& now);

}  // namespace cluster::node
