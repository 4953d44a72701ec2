// What a probe or hook does, with everything looked up. Plain data and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cluster/v1/pod.pb.h"
#include "node/probe/health.h"

namespace cluster::node {

struct ExecAction {
  std::vector<std::string> argv;
};

struct HttpAction {
  bool tls = false;
  std::string host;  // an address or a name
  uint16_t port = 0;
  std::string path;  // begins with '/'
  std::vector<std::pair<std::string, std::string>> headers;
};

struct TcpAction {
  std::string host;
  uint16_t port = 0;
};

struct GrpcAction {
  std::string host;
  uint16_t port = 0;
  std::string service;
};

struct SleepAction {
  absl::Duration time;
};

using Action = std::variant<ExecAction, HttpAction, TcpAction, GrpcAction, SleepAction>;

// `container` knows the names of ports, `pod_ip` is where an action without a host goes.
// InvalidArgument for what the controller refuses: no action, a port name that nobody has.
absl::StatusOr<Action> ActionOf(const v1::Probe& probe, const v1::Container& container,
                                const std::string& pod_ip);
absl::StatusOr<Action> ActionOf(const v1::LifecycleHandler& handler, const v1::Container& container,
                                const std::string& pod_ip);

struct ProbeSpec {
  ProbeKind kind = ProbeKind::kLiveness;
  Action action;
  absl::Duration initial_delay;
  absl::Duration timeout = absl::Seconds(1);
  absl::Duration period = absl::Seconds(10);
  int success_threshold = 1;
  int failure_threshold = 3;
};

// One instance of a container, and what is asked of it.
struct ProbeTarget {
  std::string container;
  int32_t attempt = 0;
  absl::Duration started_at;  // monotonic
  // As it was known before, so that an agent that starts anew forgets nothing.
  bool started = false;
  bool ready = false;
  bool adopted = false;           // it ran before this agent did
  std::vector<ProbeSpec> probes;  // at most one of a kind
};

// All probes of the container; empty when it has none. Errors: see ActionOf.
absl::StatusOr<std::vector<ProbeSpec>> ProbesOf(const v1::Container& container,
                                                const std::string& pod_ip);

// A probe that failed, could not be run, or succeeded in a way that people should know of.
struct ProbeReport {
  enum What { kFailed, kErrored, kWarned };
  std::string container;
  ProbeKind kind = ProbeKind::kLiveness;
  What what = kFailed;
  std::string message;
};

// Of one pod, since it was asked for last.
struct ProbeNews {
  std::vector<Health> health;  // as it is now
  std::vector<ProbeReport> reports;
};

struct HookRun {
  std::string pod_uid;
  std::string container;
  Action action;
  absl::Duration timeout;
};

}  // namespace cluster::node
