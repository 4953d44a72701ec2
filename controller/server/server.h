// The controller put together: construction order and nothing else.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/server.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/api/service.h"
#include "controller/cache/cache.h"
#include "controller/events/event_recorder.h"
#include "controller/loop/loop.h"
#include "controller/server/acceptor.h"
#include "controller/services/ranges.h"
#include "controller/session/sessions.h"
#include "controller/store/compactor.h"
#include "controller/store/store.h"
#include "controller/usage/usage_collector.h"

namespace cluster::controller {

struct ServerOptions {
  std::string state_dir;
  std::string socket;
  std::string listen;  // empty: no TCP
  const Clock* clock = RealClock();
  std::string version;
  SessionOptions sessions;
  LoopOptions loop;
  // As --service-cidr and --node-ports write them.
  std::string service_cidr = kDefaultServiceCidr;
  std::string node_ports = kDefaultNodePorts;
  // How often autoscalers look at what pods use.
  absl::Duration autoscale_period = absl::Seconds(15);
  // The controller cannot go on. Any thread; at most a few times.
  std::function<void(absl::Status)> fatal = [](const absl::Status&) {};
};

class Server {
 public:
  // Serves when it returns. `store` is owned from here on.
  static absl::StatusOr<std::unique_ptr<Server>> Start(std::unique_ptr<store::Store> store,
                                                       ServerOptions options);
  // Ends every call and stops. Containers are not touched.
  ~Server();

  // "127.0.0.1:1234", where it listens on TCP.
  const std::string& tcp_address() const { return tcp_address_; }

 private:
  explicit Server(ServerOptions options) : options_(std::move(options)) {}
  absl::Status Build();
  absl::Status MakeNamespace();
  absl::Status MakePriorityClasses();
  // Made unless it is there.
  absl::Status Make(v1::Object object);
  void WakeLoop();
  void AwaitStore();
  absl::Status Serve();

  const ServerOptions options_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Compactor> compactor_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<EventRecorder> events_;
  std::unique_ptr<Sessions> sessions_;
  std::unique_ptr<UsageCollector> usage_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<ClusterService> api_;
  std::unique_ptr<grpc::Server> grpc_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::string tcp_address_;

  Mutex mutex_;
  Loop* to_wake_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace cluster::controller
