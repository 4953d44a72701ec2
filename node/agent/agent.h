// The agent without its kernel: everything between a runtime, an image store and the controller.
// Construction order only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cluster/v1/session.pb.h"
#include "node/agent/node_shortage.h"
#include "node/image/image_store.h"
#include "node/pod/pod_workers.h"
#include "node/pod/record_store.h"
#include "node/probe/prober.h"
#include "node/runtime/runtime.h"
#include "node/services/route_applier.h"
#include "node/services/service_book.h"
#include "node/session/claim_eraser.h"
#include "node/session/image_archives.h"
#include "node/session/lease_file.h"
#include "node/session/session.h"
#include "node/session/status_outbox.h"
#include "node/session/stream_server.h"
#include "node/stats/sampler.h"

namespace cluster::node {

struct AgentOptions {
  std::string controller;  // HOST:PORT or unix:PATH
  std::string node;
  std::string state_dir;
  std::string boot_id;
  std::string address;         // of this node, for its peers
  std::string cgroup_version;  // "v1", "v2" or "hybrid"
  std::string agent_version;
  std::string resolv_conf = "/etc/resolv.conf";
  std::string cluster_domain = "cluster.local";
  // See session/lease_file.h; empty: an agent that starts anew knows of no lease.
  std::string lease_file;
  WorkersOptions workers;
  EvictorOptions eviction;
  std::vector<std::pair<int64_t, int64_t>> hugepages;  // size of a page, pages
  std::map<std::string, int64_t> devices;              // "example.com/dongle": how many
};

// What the agent runs on. All of it outlives the agent.
struct AgentParts {
  Runtime* runtime = nullptr;
  ImageStore* images = nullptr;
  const Clock* clock = nullptr;
  std::function<absl::Status(const std::string& pod_cidr, const std::string& cluster_cidr)>
      set_range;
  std::function<absl::Status(const std::vector<v1::Peer>& peers)> set_peers;
  // Filled by the agent.
  ServiceBook* services = nullptr;
  // Where pods find names; "": not yet.
  std::function<std::string()> name_server;
  // See RouteApplier; on its thread.
  std::function<absl::Status(const KnownServices& table)> set_services;
  // Null: the node has no statistics. Stopped by the agent.
  Sampler* sampler = nullptr;
  // Without a `node` nothing is evicted.
  ShortageSource shortage;
};

class Agent {
 public:
  // Recovers what runs and dials the controller. FailedPrecondition: another agent uses the state
  // directory. DataLoss: what is in it cannot be read.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(AgentOptions options, AgentParts parts);
  ~Agent();

  // Ends the session and begins no more verbs; containers live on. False when a verb did not end
  // within `patience`: the agent must not be destroyed then.
  bool Stop(absl::Duration patience);

  PodWorkers& workers() { return *workers_; }
  Session& session() { return *session_; }
  StatusOutbox& outbox() { return *outbox_; }
  // The machine may be short of something: look now. Does not block.
  void HintShortage();

 private:
  Agent() = default;
  // Those that the disk knows.
  void FindServices(const AgentParts& parts);
  void StartEvictor(const EvictorOptions& options, const AgentParts& parts);
  // The node's facts, with what it is short of.
  v1::Node WithPressure(v1::Node node) const;

  Sampler* sampler_ = nullptr;
  std::unique_ptr<RecordStore> records_;
  std::unique_ptr<StatusOutbox> outbox_;
  std::unique_ptr<RouteApplier> routes_;
  std::unique_ptr<LeaseFile> lease_;
  std::unique_ptr<Prober> prober_;
  std::unique_ptr<PodWorkers> workers_;
  std::unique_ptr<Evictor> evictor_;
  std::unique_ptr<StreamServer> streams_;
  std::unique_ptr<ImageArchives> archives_;
  std::unique_ptr<ClaimEraser> claims_;
  std::unique_ptr<Session> session_;
};

}  // namespace cluster::node
