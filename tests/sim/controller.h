// A controller: what controller/server/server.cc puts together, on a simulated store and network.
#pragma once

#include <functional>
#include <memory>

#include "controller/api/revision_gate.h"
#include "controller/api/writer.h"
#include "controller/cache/cache.h"
#include "controller/events/event_recorder.h"
#include "controller/loop/loop.h"
#include "controller/session/hub.h"
#include "controller/store/compactor.h"
#include "tests/sim/network.h"
#include "tests/sim/process.h"
#include "tests/sim/store_client.h"
#include "tests/sim/usage.h"

namespace cluster::sim {

struct ControllerOptions {
  controller::SessionOptions sessions;
  controller::LoopOptions loop;
  store::CompactionOptions compaction;
  CacheOptions cache;
};

// What controllers share with their world. All of it outlives them.
struct ControllerParts {
  Timeline* time = nullptr;
  HostClock* clock = nullptr;
  Random* random = nullptr;
  store::MemoryStore* disk = nullptr;
  const StoreWeather* weather = nullptr;
  Network* network = nullptr;
  std::function<controller::UsageSample()> usage;  // see Usage
  std::function<Nanos()> usage_period;
  std::function<void(const std::string&)> fail;
};

class Controller {
 public:
  // `step` is told of each thing that it does to the world, and may kill the process, which
  // outlives the controller.
  static absl::StatusOr<std::unique_ptr<Controller>> Start(const ControllerParts& parts,
                                                           ControllerOptions options, int64_t term,
                                                           Process* process,
                                                           std::function<void()> step);
  // The process is dead.
  ~Controller();

  Cache* cache() { return cache_.get(); }
  controller::Writer* writer() { return writer_.get(); }
  const Clock* clock() const { return parts_.clock; }

 private:
  Controller(const ControllerParts& parts, ControllerOptions options, Process* process);
  absl::Status Build(int64_t term, std::function<void()> step);

  const ControllerParts parts_;
  const ControllerOptions options_;
  Process* const process_;
  std::unique_ptr<StoreClient> store_;
  Strand sessions_;
  Strand writes_;
  std::unique_ptr<store::Compactor> compactor_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<controller::EventRecorder> events_;
  std::unique_ptr<controller::Hub> hub_;
  std::unique_ptr<Usage> usage_;
  std::unique_ptr<controller::Loop> loop_;
  std::unique_ptr<controller::RevisionGate> gate_;
  std::unique_ptr<controller::Writer> writer_;
  Listener listener_;
};

}  // namespace cluster::sim
