// A node's agent: what node/agent/agent.cc puts together, on a simulated machine and network.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "node/pod/pod_workers.h"
#include "node/pod/record_store.h"
#include "node/session/claim_eraser.h"
#include "node/session/image_archives.h"
#include "node/session/lease_file.h"
#include "node/session/session.h"
#include "node/session/status_outbox.h"
#include "tests/sim/machine.h"
#include "tests/sim/network.h"
#include "tests/sim/process.h"

namespace cluster::sim {

// Answers for the probes of containers: ready some time after their start, until told otherwise.
class FakeProber {
 public:
  FakeProber(Process* process, Timeline* time, Random* random)
      : process_(process), time_(time), random_(random) {}
  void SetListener(std::function<void(const std::string&)> poke) { poke_ = std::move(poke); }
  void Set(const std::string& uid, std::vector<node::ProbeTarget> targets);
  node::ProbeNews TakeNews(const std::string& uid);

 private:
  void BecomeReady(const std::string& uid, const std::string& container, int32_t attempt);

  Process* const process_;
  Timeline* const time_;
  Random* const random_;
  std::function<void(const std::string&)> poke_;
  std::map<std::string, std::map<std::string, node::Health>> health_;  // by uid and container
};

struct AgentOptions {
  std::string name;
  std::string boot_id;
  std::string directory;   // on the disk that outlives it
  std::string lease_file;  // in the machine's memory
  v1::Node facts;
  absl::Duration period = absl::Seconds(30);  // see PodWorld
};

class Agent {
 public:
  // `step` is told of each thing that it does to the world, and may kill the process.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(AgentOptions options, Process* process,
                                                      Timeline* time, const HostClock* clock,
                                                      Random* random, Machine* machine,
                                                      Network* network, std::function<void()> step);
  // The process is dead.
  ~Agent() = default;

  node::PodWorkers* workers() { return workers_.get(); }
  node::Session* session() { return session_.get(); }

 private:
  Agent() = default;

  std::unique_ptr<node::Runtime> runtime_;
  std::unique_ptr<node::RecordStore> records_;
  std::unique_ptr<node::StatusOutbox> outbox_;
  std::unique_ptr<node::LeaseFile> lease_;
  std::unique_ptr<FakeProber> prober_;
  std::unique_ptr<node::PodWorkers> workers_;
  std::unique_ptr<node::ImageArchives> archives_;
  std::unique_ptr<node::ClaimEraser> claims_;
  std::unique_ptr<node::ServiceBook> services_;
  std::unique_ptr<node::RouteApplier> routes_;
  std::unique_ptr<node::Session> session_;
};

}  // namespace cluster::sim
