// What may follow what. A pod's phase and an instance of a container only move forward (law 2); a
// restart is a new instance with a higher restart count.
//
// Pure tables, checked while compiling.
#pragma once

#include <optional>

#include "cluster/v1/node_state.pb.h"

namespace cluster::node {

// Of one instance of one container.
enum class Stage { kWaiting, kRunning, kTerminated };

enum class Happening {
  kSeenRunning,
  kEnded,    // exited, could not start, or ended unseen
  kRestart,  // a new instance takes its place
};

// Nothing: must not happen. The same stage: nothing new.
constexpr std::optional<Stage> After(Stage stage, Happening happening) {
  switch (stage) {
    case Stage::kWaiting:
      switch (happening) {
        case Happening::kSeenRunning:
          return Stage::kRunning;
        case Happening::kEnded:
          return Stage::kTerminated;
        case Happening::kRestart:
          return std::nullopt;
      }
      break;
    case Stage::kRunning:
      switch (happening) {
        case Happening::kSeenRunning:
          return Stage::kRunning;
        case Happening::kEnded:
          return Stage::kTerminated;
        case Happening::kRestart:
          return std::nullopt;
      }
      break;
    case Stage::kTerminated:
      switch (happening) {
        case Happening::kSeenRunning:
        case Happening::kEnded:
          return Stage::kTerminated;  // the first end counts for ever
        case Happening::kRestart:
          return Stage::kWaiting;  // of the next instance
      }
      break;
  }
  return std::nullopt;
}

constexpr int PhaseRank(v1::PodPhase phase) {
  return phase == v1::POD_PHASE_PENDING                                      ? 1
         : phase == v1::POD_PHASE_RUNNING                                    ? 2
         : phase == v1::POD_PHASE_SUCCEEDED || phase == v1::POD_PHASE_FAILED ? 3
                                                                             : 0;
}

constexpr bool IsTerminal(v1::PodPhase phase) { return PhaseRank(phase) == 3; }

// Staying is allowed, a terminal phase is final.
constexpr bool MayFollow(v1::PodPhase from, v1::PodPhase to) {
  return from == to || PhaseRank(from) < PhaseRank(to);
}

static_assert(!After(Stage::kRunning, Happening::kRestart));
static_assert(!After(Stage::kWaiting, Happening::kRestart));
static_assert(After(Stage::kTerminated, Happening::kSeenRunning) == Stage::kTerminated);
static_assert(After(Stage::kTerminated, Happening::kRestart) == Stage::kWaiting);
static_assert(MayFollow(v1::POD_PHASE_PENDING, v1::POD_PHASE_FAILED));
static_assert(!MayFollow(v1::POD_PHASE_RUNNING, v1::POD_PHASE_PENDING));
static_assert(!MayFollow(v1::POD_PHASE_FAILED, v1::POD_PHASE_SUCCEEDED));
static_assert(!MayFollow(v1::POD_PHASE_SUCCEEDED, v1::POD_PHASE_RUNNING));
static_assert(MayFollow(v1::POD_PHASE_UNSPECIFIED, v1::POD_PHASE_PENDING));

Stage StageOf(const v1::ContainerRecord& container);

}  // namespace cluster::node
