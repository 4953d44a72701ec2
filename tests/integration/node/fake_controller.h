// The controller's end of node sessions, played by a test: a real gRPC server on a unix socket that
// answers as the protocol says and keeps everything it hears.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "grpcpp/grpcpp.h"

#include "base/mutex.h"
#include "cluster/v1/session.grpc.pb.h"

namespace cluster::node {

class FakeController final : public v1::NodeSession::Service {
 public:
  explicit FakeController(const std::string& socket);
  ~FakeController() override;

  // A controller that is down refuses connections; everything it knew stays.
  void Up();
  void Down();

  // How it behaves from the next session on.
  void SetTerm(int64_t term);
  void AcknowledgeStatus(bool acknowledge);

  // What it wants of the node; sent as a delta to a node that is attached.
  void Assign(const v1::Assignment& assignment);
  void Remove(const std::string& uid);
  void Want(const v1::ImageArchive& archive, const std::string& content);
  // Any message, at once.
  void Send(const v1::ControllerMessage& message);
  // Changes what it wants without telling: the digests disagree at the next hello.
  void RemoveSilently(const std::string& uid);
  void CutSession();

  // Waits (up to 20 s) until `holds` is true of what was heard so far.
  struct Heard {
    std::vector<v1::Hello> hellos;
    int64_t beats = 0;
    std::vector<v1::PodStatusUpdate> updates;
    std::vector<v1::AssignmentsAck> acks;
    std::vector<v1::ImageReport> reports;
    std::vector<int64_t> routes_acks;  // versions
    std::vector<v1::Event> events;
    std::map<std::string, std::vector<v1::NodeFrame>> streams;  // by id
    std::set<std::string> ended_streams;
    // The newest status of each pod, by uid.
    std::map<std::string, v1::PodStatusUpdate> pods;
  };
  bool Await(const std::function<bool(const Heard&)>& holds);
  Heard heard();
  int64_t revision();
  std::string Digest();

  // Frames for the node as soon as the stream `id` is dialled back.
  void Script(const std::string& id, std::vector<v1::ControllerFrame> frames);

 private:
  using AttachStream = grpc::ServerReaderWriter<v1::ControllerMessage, v1::NodeMessage>;
  using BackStream = grpc::ServerReaderWriter<v1::ControllerFrame, v1::NodeFrame>;
  grpc::Status Attach(grpc::ServerContext* context, AttachStream* stream) override;
  grpc::Status DialBack(grpc::ServerContext* context, BackStream* stream) override;
  grpc::Status FetchImage(grpc::ServerContext* context, const v1::FetchImageRequest* request,
                          grpc::ServerWriter<v1::FetchImageResponse>* writer) override;
  void Welcome(AttachStream* stream, const v1::Hello& hello) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Hear(AttachStream* stream, const v1::NodeMessage& message);
  void Complete(v1::Assignments* assignments) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(v1::Assignments delta) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string DigestLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string address_;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;  // also serializes writes; fine for a test
  CondVar heard_something_;
  Heard heard_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::Assignment> wanted_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ImageArchive> archives_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> contents_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<v1::ControllerFrame>> scripts_ ABSL_GUARDED_BY(mutex_);
  int64_t revision_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t told_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t term_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t sessions_ ABSL_GUARDED_BY(mutex_) = 0;
  bool acknowledge_ ABSL_GUARDED_BY(mutex_) = true;
  AttachStream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  grpc::ServerContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace cluster::node
