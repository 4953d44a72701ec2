#include "tests/integration/controller/support/crowd.h"

#include <poll.h>

#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/client_context.h"

#include "proto/schema/assignments_digest.h"

namespace cluster::controller {
namespace {

constexpr absl::Duration kCrowdPatience = absl::Minutes(1);

v1::NodeMessage HelloOf(const std::string& name) {
  v1::NodeMessage message;
  v1::Hello* hello = message.mutable_hello();
  hello->set_node(name);
  hello->set_agent_instance(name);
  hello->set_boot_id("boot");
  hello->set_assignments_digest(AssignmentsDigest({}));
  v1::NodeStatus* status = hello->mutable_facts()->mutable_status();
  for (const char* resource : {"cpu", "memory", "pods"}) {
    (*status->mutable_capacity())[resource] = "8";
    (*status->mutable_allocatable())[resource] = "8";
  }
  v1::NodeAddress* address = status->add_addresses();
  address->set_type("InternalIP");
  address->set_address("192.0.2.1");
  return message;
}

}  // namespace

// One Attach call. What it knows is guarded by the crowd's mutex, which is more than the analysis
// of threads can follow.
class Crowd::Member : public grpc::ClientBidiReactor<v1::NodeMessage, v1::ControllerMessage> {
 public:
  Member(Crowd* crowd, const std::shared_ptr<grpc::Channel>& connection, std::string name)
      : crowd_(crowd), stub_(v1::NodeSession::NewStub(connection)), name_(std::move(name)) {}

  void Begin() {
    stub_->async()->Attach(&context_, this);
    // Writes begin outside of reactions.
    AddHold();
    {
      MutexLock lock(&crowd_->mutex_);
      Send(HelloOf(name_));
    }
    StartRead(&reading_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

  // Under the mutex. Nothing where it is not let in, or its stream has ended.
  void Beat() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (!is_in_ || over_) return;
    v1::NodeMessage message;
    message.mutable_beat()->set_sequence(++beat_);
    ++crowd_->unanswered_;
    Send(std::move(message));
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      {
        MutexLock lock(&crowd_->mutex_);
        Handle();
      }
      StartRead(&reading_);
      return;
    }
    {
      MutexLock lock(&crowd_->mutex_);
      over_ = true;
    }
    RemoveHold();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(&crowd_->mutex_);
    writing_ = false;
    if (ok) Pump();
  }
  void OnDone(const grpc::Status&) override {
    MutexLock lock(&crowd_->mutex_);
    ++crowd_->ended_;
    crowd_->changed_.SignalAll();
  }

 private:
  void Handle() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    v1::NodeMessage answer;
    if (reading_.has_welcome()) {
      is_in_ = true;
      ++crowd_->welcomed_;
      crowd_->changed_.SignalAll();
    } else if (reading_.has_beat_ack() && reading_.beat_ack().sequence() == beat_) {
      --crowd_->unanswered_;
      crowd_->changed_.SignalAll();
    } else if (reading_.has_assignments()) {
      v1::AssignmentsAck* ack = answer.mutable_assignments_ack();
      ack->set_applied_revision(reading_.assignments().results_in());
      ack->set_assignments_digest(AssignmentsDigest({}));
      Send(std::move(answer));
    } else if (reading_.has_routes()) {
      answer.mutable_routes_ack()->set_version(reading_.routes().version());
      Send(std::move(answer));
    }
  }
  void Send(v1::NodeMessage message) {
    if (over_) return;
    queue_.push_back(std::move(message));
    Pump();
  }
  void Pump() {
    if (writing_ || over_ || queue_.empty()) return;
    sending_ = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    StartWrite(&sending_);
  }

  Crowd* const crowd_;
  const std::unique_ptr<v1::NodeSession::Stub> stub_;
  const std::string name_;
  grpc::ClientContext context_;
  v1::ControllerMessage reading_;
  v1::NodeMessage sending_;
  std::deque<v1::NodeMessage> queue_;
  bool writing_ = false;
  bool over_ = false;
  bool is_in_ = false;
  int64_t beat_ = 0;
};

Crowd::Crowd(int nodes, std::string name_prefix)
    : nodes_(nodes), name_prefix_(std::move(name_prefix)) {}

Crowd::~Crowd() { HangUp(); }

void Crowd::Dial(std::vector<std::shared_ptr<grpc::Channel>> connections) {
  HangUp();
  connections_ = std::move(connections);
  for (int i = 0; i < nodes_; ++i) {
    members_.push_back(
        std::make_unique<Member>(this, connections_[static_cast<size_t>(i) % connections_.size()],
                                 absl::StrCat(name_prefix_, i)));
  }
  for (const auto& member : members_) member->Begin();
}

void Crowd::HangUp() {
  for (const auto& member : members_) member->Cancel();
  {
    MutexLock lock(&mutex_);
    while (ended_ < static_cast<int>(members_.size())) changed_.Wait(&mutex_);
    welcomed_ = ended_ = unanswered_ = 0;
  }
  members_.clear();
  // A call lets go of its connection on a thread of gRPC's, which would wait for itself if that
  // were the last one.
  for (const auto& connection : connections_) {
    while (connection.use_count() > 1) poll(nullptr, 0, 1);
  }
  connections_.clear();
}

int Crowd::welcomed() const {
  MutexLock lock(&mutex_);
  return welcomed_;
}

int Crowd::ended() const {
  MutexLock lock(&mutex_);
  return ended_;
}

template <typename Condition>
bool Crowd::Await(const Condition& condition) {
  const absl::Time deadline = absl::Now() + kCrowdPatience;
  MutexLock lock(&mutex_);
  while (!condition()) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
  return true;
}

bool Crowd::AwaitWelcomed(int count) {
  return Await([this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return welcomed_ >= count; });
}

bool Crowd::AwaitEnded(int count) {
  return Await([this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ended_ >= count; });
}

int Crowd::Beat() {
  int beats = 0;
  {
    MutexLock lock(&mutex_);
    for (const auto& member : members_) member->Beat();
    beats = unanswered_;
  }
  const bool answered = Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return unanswered_ == 0; });
  return answered ? beats : -1;
}

}  // namespace cluster::controller
