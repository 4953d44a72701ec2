// All probes of the node: which are due next, and what is to be told of each pod. Holds no thread
// and no clock; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/time/time.h"

#include "node/probe/probe_machine.h"

namespace cluster::node {

// A probe to be run now.
struct Firing {
  std::string pod_uid;
  std::string container;
  int32_t attempt = 0;
  ProbeKind kind = ProbeKind::kLiveness;
  Action action;
  absl::Duration timeout;
};

struct ProbeOutcome {
  Verdict verdict = Verdict::kUnknown;
  // Why it failed or could not be run; with success what people should know, else empty.
  std::string message;
};

class ProbeSchedule {
 public:
  // Replaces what is probed in the pod. What goes on is the same instance of the same container.
  void Set(const std::string& uid, std::vector<ProbeTarget> targets, absl::Duration now);

  // Infinite when there is none.
  absl::Duration NextDue() const;
  std::vector<Firing> TakeDue(absl::Duration now);
  // True when there is news of the pod. Outcomes for what is no longer probed are dropped.
  bool Absorb(const Firing& firing, ProbeOutcome outcome, absl::Duration now);

  ProbeNews TakeNews(const std::string& uid);

 private:
  struct Container {
    ProbeMachine machine;
    absl::Duration due = absl::InfiniteDuration();  // as it stands in timers_
  };
  struct Told {
    std::string message;
    absl::Duration at;
  };
  struct Pod {
    std::map<std::string, Container> containers;
    std::vector<ProbeReport> reports;
    std::map<std::pair<std::string, ProbeKind>, Told> told;
  };

  void Reschedule(const std::string& uid, const std::string& name, Container* container);
  bool Report(Pod* pod, const Firing& firing, ProbeOutcome outcome, absl::Duration now);

  std::map<std::string, Pod> pods_;
  std::set<std::tuple<absl::Duration, std::string, std::string>> timers_;
};

}  // namespace cluster::node
