// Serves the streams that the controller asks for: logs, exec, attach, statistics and connections
// to ports of pods.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"

#include "base/mutex.h"
#include "cluster/v1/session.pb.h"
#include "node/pod/pod_workers.h"
#include "node/runtime/runtime.h"
#include "node/session/dial_back.h"
#include "node/session/log_reader.h"

namespace cluster::node {

// What of a pod a request is about.
struct StreamTarget {
  std::string uid;
  std::string container;
  int32_t attempt = 0;
};

// The instance whose log is asked for. NotFound: no such pod, container or previous instance.
// FailedPrecondition: it was not started yet, and why. InvalidArgument: which container?
absl::StatusOr<StreamTarget> LogTarget(const v1::PodRecord& record, const v1::LogsRequest& request);
// The container that a command is to run in. FailedPrecondition: it does not run.
absl::StatusOr<StreamTarget> ExecTarget(const v1::PodRecord& record, const v1::ExecStart& request);

// Thread-safe. One thread per stream, at most kMaxStreams.
class StreamServer {
 public:
  static constexpr size_t kMaxStreams = 256;

  // Answers once, from any thread; maybe never when the node is ending.
  using AskStats = std::function<void(std::function<void(v1::NodeStats)> answer)>;

  // Both outlive the server. `ask_stats` may be empty: then the node has no statistics.
  StreamServer(PodWorkers* workers, Runtime* runtime, AskStats ask_stats = nullptr);
  ~StreamServer();

  // Dials back and serves; does not block.
  void Open(std::shared_ptr<grpc::Channel> channel, const v1::OpenStream& request);
  // Cuts all streams and waits for their threads. Open does nothing afterwards.
  void Stop();

 private:
  struct Active {
    std::thread thread;
    DialBackStream* stream = nullptr;
    bool done = false;
  };
  void Serve(std::shared_ptr<grpc::Channel> channel, const v1::OpenStream& request, Active* active);
  void ServeLogs(const v1::LogsRequest& request, DialBackStream* stream);
  void ServeStats(const v1::StatsRequest& request, DialBackStream* stream);
  void ServeExec(const v1::ExecStart& request, DialBackStream* stream);
  void ServeAttach(const StreamTarget& target, const v1::ExecStart& request,
                   DialBackStream* stream);
  void ServePortForward(const v1::PortForwardStart& request, DialBackStream* stream);
  bool HasEnded(const StreamTarget& target, const std::string& name_space,
                const std::string& name) const;
  void Reap() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  PodWorkers* const workers_;
  Runtime* const runtime_;
  const AskStats ask_stats_;
  Mutex mutex_;
  std::list<Active> active_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cluster::node
