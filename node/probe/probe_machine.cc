#include "node/probe/probe_machine.h"

#include <algorithm>

namespace cluster::node {
namespace {

// A container that was never ready is asked more often at first, so that it is ready soon after it
// could be, and not a whole period later.
constexpr absl::Duration kFirstEarly = absl::Milliseconds(250);
constexpr int kMostEarlyTries = 8;
constexpr double kSpreadPart = 0.1;

}  // namespace

ProbeMachine::ProbeMachine(ProbeTarget target, double spread, absl::Duration now)
    : spread_(spread), started_at_(target.started_at) {
  health_.container = target.container;
  health_.attempt = target.attempt;
  bool has_startup = false;
  bool has_readiness = false;
  for (ProbeSpec& spec : target.probes) {
    has_startup |= spec.kind == ProbeKind::kStartup;
    has_readiness |= spec.kind == ProbeKind::kReadiness;
    Track& track = tracks_.emplace_back();
    track.due = std::max(now, started_at_ + spec.initial_delay);
    if (target.adopted) {
      track.due += spread_ * spec.period;
      track.succeeded = target.ready;
      track.spread = true;
    }
    track.spec = std::move(spec);
  }
  health_.started = target.started || !has_startup;
  health_.ready = target.ready || !has_readiness;
}

bool ProbeMachine::Active(const Track& track) const {
  return !health_.failed && (track.spec.kind == ProbeKind::kStartup) != health_.started;
}

const ProbeSpec* ProbeMachine::Find(ProbeKind kind) const {
  for (const Track& track : tracks_) {
    if (track.spec.kind == kind) return &track.spec;
  }
  return nullptr;
}

ProbeMachine::Track* ProbeMachine::Find(ProbeKind kind) {
  for (Track& track : tracks_) {
    if (track.spec.kind == kind) return &track;
  }
  return nullptr;
}

absl::Duration ProbeMachine::NextDue() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const Track& track : tracks_) {
    if (Active(track) && !track.in_flight) next = std::min(next, track.due);
  }
  return next;
}

std::vector<ProbeKind> ProbeMachine::TakeDue(absl::Duration now) {
  std::vector<ProbeKind> due;
  for (Track& track : tracks_) {
    if (!Active(track) || track.in_flight || track.due > now) continue;
    track.in_flight = true;
    track.fired_at = now;
    due.push_back(track.spec.kind);
  }
  return due;
}

// A probe that took longer than its period is followed by the next at once, never by several.
absl::Duration ProbeMachine::DueAfter(Track* track, absl::Duration now) const {
  absl::Duration wait = track->spec.period;
  const bool early = track->spec.kind == ProbeKind::kReadiness && !track->succeeded &&
                     track->early_tries < kMostEarlyTries;
  if (early) {
    wait = std::min(wait, kFirstEarly * (1 << track->early_tries++));
  } else if (!track->spread) {
    wait += spread_ * kSpreadPart * track->spec.period;
    track->spread = true;
  }
  return std::max(now, track->fired_at + wait);
}

bool ProbeMachine::Absorb(ProbeKind kind, Verdict verdict, absl::Duration now) {
  Track* const track = Find(kind);
  if (track == nullptr || !track->in_flight) return false;
  track->in_flight = false;
  const bool counts = Active(*track) && verdict != Verdict::kUnknown;
  if (counts) {
    track->run = track->last == verdict ? track->run + 1 : 1;
    track->last = verdict;
    track->succeeded |= verdict == Verdict::kSuccess;
  }
  track->due = DueAfter(track, now);
  if (!counts) return false;
  const Health before = health_;
  Judge(*track);
  if (health_.started && !before.started) {
    // What the startup probe held back begins now, unless its own delay is not over.
    for (Track& other : tracks_) {
      if (other.spec.kind == ProbeKind::kStartup) continue;
      other.due = std::max(now, started_at_ + other.spec.initial_delay);
    }
  }
  return health_.started != before.started || health_.ready != before.ready ||
         health_.failed != before.failed;
}

void ProbeMachine::Judge(const Track& track) {
  const bool success = track.last == Verdict::kSuccess;
  const int enough = success ? track.spec.success_threshold : track.spec.failure_threshold;
  if (track.run < enough) return;
  switch (track.spec.kind) {
    case ProbeKind::kReadiness:
      health_.ready = success;
      return;
    case ProbeKind::kStartup:
      if (success) health_.started = true;
      break;
    case ProbeKind::kLiveness:
      break;
  }
  if (!success) health_.failed = track.spec.kind;
}

}  // namespace cluster::node
