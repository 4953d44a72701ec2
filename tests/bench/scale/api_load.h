// Users of the API: changes at a steady rate, each timed from the moment at which it was due, so
// that a slow answer also counts for those that wait behind it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "grpcpp/channel.h"

#include "base/mutex.h"
#include "cluster/v1/api.grpc.pb.h"
#include "tests/bench/bench_tools.h"
#include "tests/bench/scale/fleet.h"

namespace cluster::bench {

class ApiLoad {
 public:
  // What the churn makes stays below this, as long as pods end within a few seconds.
  static constexpr int kMostPods = 2000;

  struct Answers {
    Series latency;
    int64_t failed = 0;
    std::string why;  // of the last one that failed
  };

  ApiLoad(std::shared_ptr<grpc::Channel> channel, Fleet* fleet);
  // Waits for every answer.
  ~ApiLoad();

  // `deployments` of `pods` altogether, in one transaction.
  void ApplyDeployments(int deployments, int pods);
  // Until so many nodes are ready.
  void AwaitReadyNodes(int nodes);
  int CountReadyNodes();

  // For `seconds`: of every four changes one creates a pod, one deletes a pod that was created a
  // while ago, two write ConfigMaps.
  Answers Churn(int per_second, double seconds);
  // ConfigMaps only, until `over` says so.
  Answers WriteUntil(int per_second, const std::function<bool()>& over);

 private:
  struct Call;
  void Issue(int64_t number, int64_t due, bool pods_too);
  void Apply(v1::Object object, int64_t due);
  void Delete(const std::string& pod, int64_t due);
  void Done(Call* call, const grpc::Status& status);
  Answers Drain();

  const std::unique_ptr<v1::Cluster::Stub> stub_;
  Fleet* const fleet_;
  std::atomic<int64_t> open_{0};
  int64_t created_ = 0;
  int64_t deleted_ = 0;
  Mutex mutex_;
  Answers answers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::bench
