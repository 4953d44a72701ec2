// A simulated node agent without threads of its own: gRPC's callback interface on the threads that
// all of them share. It speaks the whole session (hello, beats, assignments with digests, reports
// with acknowledgements) and takes every pod for running the moment it is told.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "grpcpp/channel.h"

#include "base/mutex.h"
#include "cluster/v1/session.grpc.pb.h"
#include "node/session/reconnect.h"

namespace cluster::bench {

// What all nodes together have seen. Any thread.
struct FleetCounts {
  std::atomic<int64_t> attached{0};  // sessions that are welcomed
  std::atomic<int64_t> welcomes{0};  // ever
  std::atomic<int64_t> told{0};      // pods that came with assignments, first time
  std::atomic<int64_t> running{0};   // pods whose report is acknowledged, less those that ended
  std::atomic<int64_t> streams{0};   // calls that are not done
  std::atomic<int64_t> received_bytes{0};
};

struct FleetHooks {
  FleetCounts* counts = nullptr;
  // A pod came for the first time.
  std::function<void(const std::string& pod_name)> told;
  // A beat was answered after this long.
  std::function<void(int64_t nanoseconds)> beat_answered;
};

struct NodeSize {
  int pods = 0;
  std::string cpu = "64";
  std::string memory = "256Gi";
};

// Thread-safe. What it holds outlives its sessions, as an agent's disk does. Stopped before it
// goes, with no stream left (FleetCounts::streams).
class LightNode {
 public:
  // `dial`: makes a connection of its own.
  using Dialler = std::function<std::shared_ptr<grpc::Channel>()>;
  LightNode(Dialler dial, std::string name, NodeSize size, const FleetHooks* hooks);
  ~LightNode();

  // Dials, beats, dials again: whatever is due at `now` (see Now()). From one thread, as is Stop.
  void Tick(int64_t now);
  // Ends the stream for good.
  void Stop();
  const std::string& name() const { return name_; }

 private:
  class Stream;
  struct Outgoing {
    v1::NodeMessage message;
    int64_t running = 0;  // what the count grows by once it is acknowledged
  };

  void Dial();
  v1::NodeMessage HelloMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Beat(int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Handle(const v1::ControllerMessage& message);
  void OnWelcome(const v1::Welcome& welcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnAssignments(const v1::Assignments& assignments) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Report(const v1::Assignments& assignments, const std::vector<bool>& fresh)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FillStatus(const v1::Assignment& assignment, v1::PodStatusUpdate* update)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendReport(Outgoing report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Ended();

  const Dialler dial_;
  const std::string name_;
  const NodeSize size_;
  const FleetHooks* const hooks_;
  const std::string instance_;

  Mutex mutex_;
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool welcomed_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t dial_at_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t beat_at_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t beat_every_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t beat_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int64_t, int64_t> beats_sent_ ABSL_GUARDED_BY(mutex_);  // sequence -> when
  node::Reconnect reconnect_ ABSL_GUARDED_BY(mutex_);
  std::minstd_rand random_ ABSL_GUARDED_BY(mutex_);

  // The disk.
  std::map<std::string, int64_t> epochs_ ABSL_GUARDED_BY(mutex_);  // by uid
  std::map<int64_t, Outgoing> unacknowledged_ ABSL_GUARDED_BY(mutex_);
  int64_t applied_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t session_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t batch_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cluster::bench
