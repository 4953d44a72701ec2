// All simulated nodes of one run, each with a connection of its own, and what they saw.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "base/mutex.h"
#include "tests/bench/bench_tools.h"
#include "tests/bench/scale/light_node.h"

namespace cluster::bench {

class Fleet {
 public:
  // Dials at once. `address`: HOST:PORT of the controller.
  Fleet(const std::string& address, int nodes, const NodeSize& size);
  // Ends every session.
  ~Fleet();

  const FleetCounts& counts() const { return counts_; }
  // Waits up to a minute.
  bool Await(const std::function<bool(const FleetCounts&)>& condition) const;
  // The time from here until some node is told of this pod goes into Told().
  void Expect(const std::string& pod_name, int64_t since);
  Series Told();
  // What is expected and did not come.
  size_t Outstanding();
  // Round trips of beats since the last call.
  Series Beats();

 private:
  void Tick();
  void OnTold(const std::string& pod_name);

  FleetCounts counts_;
  FleetHooks hooks_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, int64_t> expected_ ABSL_GUARDED_BY(mutex_);
  Series told_ ABSL_GUARDED_BY(mutex_);
  Series beats_ ABSL_GUARDED_BY(mutex_);
  // Every one that was ever made: they must outlive the calls over them.
  std::vector<std::shared_ptr<grpc::Channel>> connections_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<LightNode>> nodes_;
  std::atomic<bool> stopping_{false};
  std::thread ticker_;
};

}  // namespace cluster::bench
