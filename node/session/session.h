// The agent's session with the controller: dials, says hello, beats, takes assignments, reports
// status, and comes back after every break.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "base/strand.h"
#include "cluster/v1/node_state.pb.h"
#include "cluster/v1/session.pb.h"
#include "node/pod/pod_workers.h"
#include "node/pod/record_store.h"
#include "node/services/route_applier.h"
#include "node/services/service_book.h"
#include "node/session/controller_stream.h"
#include "node/session/image_archives.h"
#include "node/session/lease_file.h"
#include "node/session/reconnect.h"
#include "node/session/session_lease.h"
#include "node/session/status_outbox.h"

namespace cluster::node {

// Everything pointed to outlives the session. The functions run on the session's thread.
struct SessionParts {
  Dial dial;
  PodWorkers* workers = nullptr;
  RecordStore* records = nullptr;
  StatusOutbox* outbox = nullptr;
  ImageArchives* archives = nullptr;
  const Clock* clock = nullptr;
  // Where pods look until when the node counts as alive.
  LeaseFile* lease = nullptr;
  std::function<v1::Node()> facts;
  // The node's range of pod addresses and the cluster's; from the first Welcome on.
  std::function<absl::Status(const std::string& pod_cidr, const std::string& cluster_cidr)>
      set_range;
  std::function<absl::Status(const std::vector<v1::Peer>& peers)> set_peers;
  ServiceBook* services = nullptr;
  RouteApplier* routes = nullptr;
  // The controller says that these claims are gone: ReportErased follows for each.
  std::function<void(const std::vector<std::string>& uids)> erase_claims;
  // Serves a stream that the controller asked for; does not block.
  std::function<void(std::shared_ptr<grpc::Channel>, const v1::OpenStream&)> open_stream;
  Executor* executor = nullptr;  // see base/strand.h
};

struct SessionOptions {
  std::string controller;  // as people call it
  std::string node;
  std::string boot_id;
  std::string agent_instance;  // 16 random bytes
  absl::Duration status_delay = absl::Milliseconds(5);
  // The node counts as back only after its stale pods are gone; this is the longest that is waited.
  absl::Duration stale_patience = absl::Seconds(10);
  // Of waits before dialling and between beats.
  uint32_t seed = std::random_device{}();
};

// Thread-safe.
class Session {
 public:
  Session(SessionOptions options, SessionParts parts);
  ~Session();

  // Takes over what the disk knows (range, peers, archives) and dials.
  void Start();
  // Ends the session; nothing of it runs any more when this returns.
  void Stop();

  // To the controller, of the current session; null while there is none.
  std::shared_ptr<grpc::Channel> channel() const;
  // Until when (Clock::Monotonic) the controller surely counts this node as alive.
  absl::Duration LeaseEnd() const;
  // The facts may have changed: tells them soon when they have.
  void TellFacts();
  // What an archive held; sent now and noted for later sessions when `fresh`.
  void Report(v1::ImageReport report, bool fresh);
  // Nothing of the claim is left here. Lost with the session: the controller asks again.
  void ReportErased(const std::string& claim);

 private:
  // Everything below runs on the strand.
  void Connect();
  void SendHello();
  void Handle(v1::ControllerMessage message);
  void HandleWelcome(const v1::Welcome& welcome);
  void HandleAssignments(v1::Assignments assignments);
  void HandleRoutes(const v1::Routes& routes);
  // A message that was sent then was answered: the controller counts the node as alive from then
  // on.
  void ExtendLease(int64_t sequence);
  void HandleBeatAck(const v1::BeatAck& ack);
  // As the controller tells them.
  void SetPace(int64_t beat_milliseconds, int64_t ttl_milliseconds);
  void Ended(const absl::Status& status);
  void Break(const std::string& why);
  void SendBeat();
  void ScheduleFlush();
  void Flush();
  void SendFactsIfChanged();
  void SendFacts();
  void ApplyNetwork(bool range, bool peers);
  void Acknowledge(bool resync);
  void AcknowledgeWhenClean();
  absl::Status KeepNode();
  // A task that is dropped when the current stream is no longer the current one.
  void PostAfter(absl::Duration delay, std::function<void()> task);

  const SessionOptions options_;
  const SessionParts parts_;
  std::minstd_rand random_;

  v1::NodeRecord node_;
  std::shared_ptr<ControllerStream> stream_;
  int64_t generation_ = 0;  // counts streams
  bool welcomed_ = false;
  bool stopping_ = false;
  Reconnect reconnect_;
  absl::Duration beat_;
  absl::Duration ttl_;
  absl::Duration last_heard_;
  absl::Duration hello_sent_;
  int64_t beat_sequence_ = 0;
  int64_t batch_sequence_ = 0;
  int64_t unacknowledged_ = 0;  // batches
  bool flush_scheduled_ = false;
  bool awaiting_complete_ = false;
  bool awaiting_clean_ = false;
  absl::Duration clean_deadline_;
  std::string sent_facts_;

  mutable Mutex mutex_;
  CondVar stream_gone_;
  SessionLease lease_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mutex_);
  bool has_stream_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> stop_called_ = false;

  Strand strand_;  // last: its thread uses everything above
};

}  // namespace cluster::node
