// The probes of one container instance over time: when the next one is due, and what the outcomes
// mean together. Pure: time comes in from outside, nothing is run here.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

#include "node/probe/action.h"
#include "node/probe/health.h"

namespace cluster::node {

// kUnknown: the probe itself could not be run, which says nothing about the container.
enum class Verdict { kSuccess, kFailure, kUnknown };

class ProbeMachine {
 public:
  // `spread` (0 to 1) is this container's place among all: probes that would fall together are
  // moved apart by it. It only ever makes a wait longer, by a tenth of a period at most, but for
  // containers that were adopted: their first probe comes within one period.
  ProbeMachine(ProbeTarget target, double spread, absl::Duration now);

  // Infinite while nothing is to be run.
  absl::Duration NextDue() const;
  // The probes that are due; each is in flight from now on, until Absorb.
  std::vector<ProbeKind> TakeDue(absl::Duration now);
  // What a probe in flight found. True when `health` has changed.
  bool Absorb(ProbeKind kind, Verdict verdict, absl::Duration now);

  const Health& health() const { return health_; }
  const ProbeSpec* Find(ProbeKind kind) const;

 private:
  struct Track {
    ProbeSpec spec;
    absl::Duration due;
    absl::Duration fired_at;
    bool in_flight = false;
    bool spread = false;     // it was moved to its place
    bool succeeded = false;  // ever
    int early_tries = 0;
    Verdict last = Verdict::kUnknown;
    int run = 0;  // outcomes like the last one, in a row
  };

  bool Active(const Track& track) const;
  Track* Find(ProbeKind kind);
  absl::Duration DueAfter(Track* track, absl::Duration now) const;
  void Judge(const Track& track);

  const double spread_;
  const absl::Duration started_at_;
  std::vector<Track> tracks_;
  Health health_;
};

}  // namespace cluster::node
