// An agent without containers that speaks the whole session over real gRPC: it "runs" what it is
// assigned at once and ends what it is told to end.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"

#include "base/mutex.h"
#include "cluster/v1/session.grpc.pb.h"

namespace cluster::controller {

// Thread-safe. What it holds outlives its sessions, as an agent's disk does.
class FakeNode {
 public:
  struct Held {
    v1::Assignment assignment;
    int64_t epoch = 0;
  };
  struct Behaviour {
    bool runs = true;  // reports assigned pods as running
    bool ends = true;  // ends pods that are being deleted
    bool beats = true;
    bool acks = true;
    // Why an archive is refused; empty: it is not.
    std::string refuses_images = "";
    // Answers streams that the controller asks for; by default they are refused.
    std::function<void(const v1::OpenStream&, v1::NodeSession::Stub*)> streams = nullptr;
  };

  FakeNode(std::shared_ptr<grpc::Channel> channel, std::string name);
  ~FakeNode();

  void Behave(Behaviour behaviour);
  // Dials and waits for Welcome.
  grpc::Status Attach();
  // The stream ends; what is held stays.
  void Detach();
  // The next Attach is that of another process, of an empty disk.
  void NewInstance();
  void WipeDisk();

  // Waits up to ten seconds for something that messages bring about.
  bool WaitFor(const std::function<bool(const FakeNode&)>& condition);
  void SendStatus(const v1::PodStatusUpdate& update);
  void Send(const v1::NodeMessage& message);

  // For conditions and, once nothing runs any more, for anyone.
  const std::map<std::string, Held>& held() const { return held_; }
  const std::vector<v1::Assignments>& received() const { return received_; }
  const v1::Welcome& welcome() const { return welcome_; }
  const v1::Hello& hello() const { return hello_; }
  bool attached() const { return stream_ != nullptr && welcomed_; }
  int64_t status_acked() const { return status_acked_; }
  int64_t batches_sent() const { return batch_; }
  const std::vector<std::string>& images() const { return images_; }
  bool Holds(const std::string& pod_name) const;
  grpc::Status ended() const { return ended_; }

 private:
  void Read();
  void Beat();
  void Handle(const v1::ControllerMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandleAssignments(const v1::Assignments& assignments) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Report(const Held& held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fetch(const v1::ImageArchive& archive) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Write(const v1::NodeMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Digest() const;

  const std::unique_ptr<v1::NodeSession::Stub> stub_;
  const std::string name_;
  mutable Mutex mutex_;
  CondVar changed_;
  Behaviour behaviour_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::NodeMessage, v1::ControllerMessage>> stream_;
  std::thread reader_;
  std::thread beater_;
  std::vector<std::thread> streams_;
  bool welcomed_ = false;
  grpc::Status ended_;
  v1::Welcome welcome_;
  v1::Hello hello_;
  std::string instance_;
  std::map<std::string, Held> held_;
  std::vector<v1::Assignments> received_;
  std::vector<std::string> images_;
  int64_t applied_ = 0;
  int64_t last_session_ = 0;
  int64_t sequence_ = 0;
  int64_t batch_ = 0;
  int64_t status_acked_ = 0;
  int64_t beat_ = 0;
};

}  // namespace cluster::controller
