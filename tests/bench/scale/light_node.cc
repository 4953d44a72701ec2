#include "tests/bench/scale/light_node.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/client_context.h"

#include "proto/schema/assignments_digest.h"
#include "tests/bench/bench_tools.h"

namespace cluster::bench {
namespace {

constexpr int kMaxBatch = 500;

void AddCondition(const std::string& type, int64_t since, v1::PodStatus* status) {
  v1::Condition* condition = status->add_conditions();
  condition->set_type(type);
  condition->set_status(v1::CONDITION_STATUS_TRUE);
  condition->mutable_last_transition_time()->set_seconds(since);
}

}  // namespace

// One Attach call; deletes itself when gRPC is done with it.
class LightNode::Stream : public grpc::ClientBidiReactor<v1::NodeMessage, v1::ControllerMessage> {
 public:
  explicit Stream(LightNode* node) : node_(node), stub_(v1::NodeSession::NewStub(node->dial_())) {
    stub_->async()->Attach(&context_, this);
    // Writes begin outside of reactions.
    AddHold();
  }

  // After the first Send.
  void Begin() {
    StartRead(&reading_);
    StartCall();
  }
  void Send(v1::NodeMessage message) {
    MutexLock lock(&mutex_);
    if (over_) return;
    queue_.push_back(std::move(message));
    Pump();
  }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (ok) {
      node_->Handle(reading_);
      StartRead(&reading_);
      return;
    }
    {
      MutexLock lock(&mutex_);
      over_ = true;
    }
    context_.TryCancel();
    RemoveHold();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) Pump();
  }
  void OnDone(const grpc::Status&) override {
    FleetCounts* counts = node_->hooks_->counts;
    node_->Ended();
    delete this;
    --counts->streams;
  }

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || over_ || queue_.empty()) return;
    sending_ = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    StartWrite(&sending_);
  }

  LightNode* const node_;
  const std::unique_ptr<v1::NodeSession::Stub> stub_;
  grpc::ClientContext context_;
  v1::ControllerMessage reading_;
  Mutex mutex_;
  std::deque<v1::NodeMessage> queue_ ABSL_GUARDED_BY(mutex_);
  v1::NodeMessage sending_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

LightNode::LightNode(Dialler dial, std::string name, NodeSize size, const FleetHooks* hooks)
    : dial_(std::move(dial)),
      name_(std::move(name)),
      size_(std::move(size)),
      hooks_(hooks),
      instance_(absl::StrCat(name_, "-instance")),
      random_(static_cast<unsigned>(std::hash<std::string>()(name_) | 1)) {}

LightNode::~LightNode() = default;

void LightNode::Tick(int64_t now) {
  {
    MutexLock lock(&mutex_);
    if (stopped_) return;
    if (stream_ != nullptr) {
      if (welcomed_ && now >= beat_at_) Beat(now);
      return;
    }
    if (now < dial_at_) return;
  }
  Dial();
}

void LightNode::Dial() {
  auto* stream = new Stream(this);
  ++hooks_->counts->streams;
  v1::NodeMessage hello;
  {
    MutexLock lock(&mutex_);
    stream_ = stream;
    hello = HelloMessage();
  }
  stream->Send(std::move(hello));
  stream->Begin();
}

void LightNode::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  if (stream_ != nullptr) stream_->Cancel();
}

v1::NodeMessage LightNode::HelloMessage() {
  v1::NodeMessage message;
  v1::Hello* hello = message.mutable_hello();
  hello->set_node(name_);
  hello->set_agent_instance(instance_);
  hello->set_boot_id("boot");
  hello->set_last_session(session_);
  hello->set_applied_revision(applied_);
  hello->set_assignments_digest(AssignmentsDigest(epochs_));
  v1::NodeStatus* status = hello->mutable_facts()->mutable_status();
  for (const auto& [resource, amount] : std::map<std::string, std::string>{
           {"cpu", size_.cpu}, {"memory", size_.memory}, {"pods", absl::StrCat(size_.pods)}}) {
    (*status->mutable_capacity())[resource] = amount;
    (*status->mutable_allocatable())[resource] = amount;
  }
  v1::NodeAddress* address = status->add_addresses();
  address->set_type("InternalIP");
  address->set_address("192.0.2.1");
  return message;
}

void LightNode::Beat(int64_t now) {
  v1::NodeMessage message;
  message.mutable_beat()->set_sequence(++beat_);
  beats_sent_[beat_] = now;
  beat_at_ = now + beat_every_;
  stream_->Send(std::move(message));
}

void LightNode::Handle(const v1::ControllerMessage& message) {
  hooks_->counts->received_bytes += static_cast<int64_t>(message.ByteSizeLong());
  MutexLock lock(&mutex_);
  if (message.has_welcome()) {
    OnWelcome(message.welcome());
  } else if (message.has_beat_ack()) {
    const auto sent = beats_sent_.find(message.beat_ack().sequence());
    if (sent == beats_sent_.end()) return;
    hooks_->beat_answered(Now() - sent->second);
    beat_every_ = message.beat_ack().beat_milliseconds() * 1'000'000;
    beats_sent_.erase(beats_sent_.begin(), std::next(sent));
  } else if (message.has_assignments()) {
    OnAssignments(message.assignments());
  } else if (message.has_routes()) {
    v1::NodeMessage answer;
    answer.mutable_routes_ack()->set_version(message.routes().version());
    stream_->Send(std::move(answer));
  } else if (message.has_status_ack()) {
    const int64_t upto = message.status_ack().sequence();
    while (!unacknowledged_.empty() && unacknowledged_.begin()->first <= upto) {
      hooks_->counts->running += unacknowledged_.begin()->second.running;
      unacknowledged_.erase(unacknowledged_.begin());
    }
  }
}

void LightNode::OnWelcome(const v1::Welcome& welcome) {
  session_ = welcome.session();
  welcomed_ = true;
  beat_every_ = welcome.beat_milliseconds() * 1'000'000;
  // Not all at one moment.
  beat_at_ = Now() + std::uniform_int_distribution<int64_t>(0, beat_every_)(random_);
  beats_sent_.clear();
  reconnect_.SetClusterSize(welcome.cluster_size());
  reconnect_.Succeeded();
  ++hooks_->counts->attached;
  ++hooks_->counts->welcomes;
  // What was not acknowledged in the last session is said again.
  std::map<int64_t, Outgoing> again = std::exchange(unacknowledged_, {});
  batch_ = 0;
  for (auto& [sequence, report] : again) SendReport(std::move(report));
}

void LightNode::OnAssignments(const v1::Assignments& assignments) {
  v1::NodeMessage answer;
  v1::AssignmentsAck* ack = answer.mutable_assignments_ack();
  if (!assignments.complete() && assignments.applies_to() != applied_) {
    ack->set_applied_revision(applied_);
    ack->set_resync(true);
    stream_->Send(std::move(answer));
    return;
  }
  std::map<std::string, int64_t> before;
  if (assignments.complete()) before = std::exchange(epochs_, {});
  std::vector<bool> fresh;
  for (const v1::Assignment& assignment : assignments.assignments()) {
    const v1::ObjectMeta& meta = assignment.pod().metadata();
    fresh.push_back(!before.contains(meta.uid()) && !epochs_.contains(meta.uid()));
    epochs_[meta.uid()] = assignment.epoch();
    if (!fresh.back()) continue;
    ++hooks_->counts->told;
    hooks_->told(meta.name());
  }
  for (const std::string& uid : assignments.removed()) epochs_.erase(uid);
  applied_ = assignments.results_in();
  ack->set_applied_revision(applied_);
  ack->set_assignments_digest(AssignmentsDigest(epochs_));
  stream_->Send(std::move(answer));
  Report(assignments, fresh);
}

void LightNode::Report(const v1::Assignments& assignments, const std::vector<bool>& fresh) {
  Outgoing report;
  for (int i = 0; i < assignments.assignments_size(); ++i) {
    const v1::Assignment& assignment = assignments.assignments(i);
    const bool ending = assignment.pod().metadata().has_deletion_timestamp();
    if (fresh[static_cast<size_t>(i)]) ++report.running;
    if (ending) --report.running;
    FillStatus(assignment, report.message.mutable_status()->add_pods());
    if (report.message.status().pods_size() < kMaxBatch) continue;
    SendReport(std::exchange(report, {}));
  }
  if (report.message.status().pods_size() > 0) SendReport(std::move(report));
}

// As long as what a real agent says of a pod of one container.
void LightNode::FillStatus(const v1::Assignment& assignment, v1::PodStatusUpdate* update) {
  const v1::Pod& pod = assignment.pod();
  const bool ending = pod.metadata().has_deletion_timestamp();
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  update->set_uid(pod.metadata().uid());
  update->set_namespace_(pod.metadata().namespace_());
  update->set_name(pod.metadata().name());
  update->set_epoch(assignment.epoch());
  update->set_sequence(++sequence_);
  update->set_gone(ending);
  v1::PodStatus* status = update->mutable_status();
  status->set_phase(ending ? v1::POD_PHASE_SUCCEEDED : v1::POD_PHASE_RUNNING);
  status->set_host_ip("192.0.2.1");
  status->set_pod_ip(absl::StrCat("10.64.", sequence_ / 250 % 250, ".", sequence_ % 250));
  status->add_pod_ips()->set_ip(status->pod_ip());
  status->mutable_start_time()->set_seconds(now);
  status->set_observed_generation(pod.metadata().generation());
  for (const char* type : {"Initialized", "ContainersReady", "Ready"}) {
    AddCondition(type, now, status);
  }
  for (const v1::Container& container : pod.spec().containers()) {
    v1::ContainerStatus* each = status->add_container_statuses();
    each->set_name(container.name());
    each->set_ready(!ending);
    each->set_started(true);
    each->set_image(container.image());
    each->set_image_id(absl::StrCat("sha256:", std::string(64, '5')));
    each->set_container_id(
        absl::StrCat("cluster://", pod.metadata().uid(), "/", container.name(), "/0"));
    if (ending) {
      each->mutable_state()->mutable_terminated()->set_reason("Completed");
    } else {
      each->mutable_state()->mutable_running()->set_pid(sequence_);
      each->mutable_state()->mutable_running()->mutable_started_at()->set_seconds(now);
    }
  }
}

void LightNode::SendReport(Outgoing report) {
  report.message.mutable_status()->set_sequence(++batch_);
  stream_->Send(report.message);
  unacknowledged_[batch_] = std::move(report);
}

void LightNode::Ended() {
  MutexLock lock(&mutex_);
  stream_ = nullptr;
  if (welcomed_) --hooks_->counts->attached;
  welcomed_ = false;
  dial_at_ = Now() + absl::ToInt64Nanoseconds(reconnect_.Next(random_));
}

}  // namespace cluster::bench
