#include "tests/integration/controller/support/fake_node.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include <openssl/sha.h>

#include "controller/object/object_fields.h"
#include "proto/schema/assignments_digest.h"

namespace cluster::controller {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
// Since when pods run.
constexpr int64_t kLongAgo = 1'000'000'000;

void AddCondition(const std::string& type, v1::PodStatus* status) {
  v1::Condition* condition = status->add_conditions();
  condition->set_type(type);
  condition->set_status(v1::CONDITION_STATUS_TRUE);
  condition->mutable_last_transition_time()->set_seconds(kLongAgo);
}

}  // namespace

FakeNode::FakeNode(std::shared_ptr<grpc::Channel> channel, std::string name)
    : stub_(v1::NodeSession::NewStub(std::move(channel))),
      name_(std::move(name)),
      instance_(RandomId()) {}

FakeNode::~FakeNode() {
  Detach();
  for (std::thread& thread : streams_) thread.join();
}

void FakeNode::Behave(Behaviour behaviour) {
  MutexLock lock(&mutex_);
  behaviour_ = std::move(behaviour);
}

void FakeNode::NewInstance() {
  MutexLock lock(&mutex_);
  instance_ = RandomId();
}

void FakeNode::WipeDisk() {
  MutexLock lock(&mutex_);
  held_.clear();
  images_.clear();
  applied_ = 0;
  last_session_ = 0;
  sequence_ = 0;
}

std::string FakeNode::Digest() const {
  std::map<std::string, int64_t> epochs;
  for (const auto& [uid, held] : held_) epochs[uid] = held.epoch;
  return AssignmentsDigest(epochs);
}

grpc::Status FakeNode::Attach() {
  Detach();
  v1::NodeMessage message;
  {
    MutexLock lock(&mutex_);
    context_ = std::make_unique<grpc::ClientContext>();
    stream_ = stub_->Attach(context_.get());
    welcomed_ = false;
    ended_ = grpc::Status::OK;
    batch_ = 0;
    status_acked_ = 0;
    v1::Hello* hello = message.mutable_hello();
    hello->set_node(name_);
    hello->set_agent_instance(instance_);
    hello->set_boot_id("boot");
    hello->set_last_session(last_session_);
    hello->set_applied_revision(applied_);
    hello->set_assignments_digest(Digest());
    for (const std::string& image : images_) hello->add_archives(image);
    v1::NodeStatus* status = hello->mutable_facts()->mutable_status();
    for (const auto& [name, amount] :
         std::map<std::string, std::string>{{"cpu", "4"}, {"memory", "8Gi"}, {"pods", "110"}}) {
      (*status->mutable_capacity())[name] = amount;
      (*status->mutable_allocatable())[name] = amount;
    }
    v1::NodeAddress* address = status->add_addresses();
    address->set_type("InternalIP");
    address->set_address(absl::StrCat("192.0.2.", name_.back() - '0'));
    hello_ = *hello;
    Write(message);
  }
  reader_ = std::thread([this] { Read(); });
  if (!WaitFor([](const FakeNode& node) { return node.welcomed_ || !node.ended_.ok(); })) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no welcome");
  }
  MutexLock lock(&mutex_);
  if (!ended_.ok()) return ended_;
  beater_ = std::thread([this] { Beat(); });
  return grpc::Status::OK;
}

void FakeNode::Detach() {
  {
    MutexLock lock(&mutex_);
    if (context_ == nullptr) return;
    context_->TryCancel();
    changed_.SignalAll();
  }
  reader_.join();
  if (beater_.joinable()) beater_.join();
  MutexLock lock(&mutex_);
  stream_.reset();
  context_.reset();
}

void FakeNode::Read() {
  v1::ControllerMessage message;
  while (stream_->Read(&message)) {
    MutexLock lock(&mutex_);
    Handle(message);
    changed_.SignalAll();
  }
  const grpc::Status status = stream_->Finish();
  MutexLock lock(&mutex_);
  ended_ = status.ok() ? grpc::Status(grpc::StatusCode::CANCELLED, "ended") : status;
  changed_.SignalAll();
}

void FakeNode::Beat() {
  MutexLock lock(&mutex_);
  while (ended_.ok()) {
    if (behaviour_.beats) {
      v1::NodeMessage message;
      message.mutable_beat()->set_sequence(++beat_);
      Write(message);
    }
    changed_.WaitFor(&mutex_, absl::Milliseconds(welcome_.beat_milliseconds()));
  }
}

void FakeNode::Write(const v1::NodeMessage& message) {
  if (stream_ != nullptr) stream_->Write(message);
}

void FakeNode::Send(const v1::NodeMessage& message) {
  MutexLock lock(&mutex_);
  Write(message);
}

void FakeNode::SendStatus(const v1::PodStatusUpdate& update) {
  MutexLock lock(&mutex_);
  v1::NodeMessage message;
  message.mutable_status()->set_sequence(++batch_);
  *message.mutable_status()->add_pods() = update;
  Write(message);
}

bool FakeNode::WaitFor(const std::function<bool(const FakeNode&)>& condition) {
  const absl::Time deadline = absl::Now() + kPatience;
  MutexLock lock(&mutex_);
  while (!condition(*this)) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
  return true;
}

bool FakeNode::Holds(const std::string& pod_name) const {
  for (const auto& [uid, held] : held_) {
    if (held.assignment.pod().metadata().name() == pod_name) return true;
  }
  return false;
}

void FakeNode::Handle(const v1::ControllerMessage& message) {
  if (message.has_welcome()) {
    welcome_ = message.welcome();
    last_session_ = welcome_.session();
    welcomed_ = true;
    // What was not acknowledged in the last session is said again.
    for (const auto& [uid, held] : held_) Report(held);
  } else if (message.has_beat_ack()) {
    // As Welcome says it, in the course of a session.
    welcome_.set_beat_milliseconds(message.beat_ack().beat_milliseconds());
    welcome_.set_ttl_milliseconds(message.beat_ack().ttl_milliseconds());
  } else if (message.has_assignments()) {
    HandleAssignments(message.assignments());
  } else if (message.has_routes() && behaviour_.acks) {
    v1::NodeMessage answer;
    answer.mutable_routes_ack()->set_version(message.routes().version());
    Write(answer);
  } else if (message.has_status_ack()) {
    status_acked_ = message.status_ack().sequence();
  } else if (message.has_open_stream() && behaviour_.streams) {
    streams_.emplace_back([run = behaviour_.streams, open = message.open_stream(),
                           stub = stub_.get()] { run(open, stub); });
  }
}

void FakeNode::HandleAssignments(const v1::Assignments& assignments) {
  received_.push_back(assignments);
  if (!behaviour_.acks) return;
  v1::NodeMessage answer;
  v1::AssignmentsAck* ack = answer.mutable_assignments_ack();
  if (!assignments.complete() && assignments.applies_to() != applied_) {
    ack->set_applied_revision(applied_);
    ack->set_resync(true);
    Write(answer);
    return;
  }
  if (assignments.complete()) held_.clear();
  for (const v1::Assignment& assignment : assignments.assignments()) {
    Held& held = held_[assignment.pod().metadata().uid()];
    held.assignment = assignment;
    held.epoch = assignment.epoch();
  }
  for (const std::string& uid : assignments.removed()) held_.erase(uid);
  applied_ = assignments.results_in();
  ack->set_applied_revision(applied_);
  ack->set_assignments_digest(Digest());
  Write(answer);
  for (const v1::Assignment& assignment : assignments.assignments()) {
    Report(held_[assignment.pod().metadata().uid()]);
  }
  for (const v1::ImageArchive& archive : assignments.archives()) Fetch(archive);
}

void FakeNode::Report(const Held& held) {
  const v1::Pod& pod = held.assignment.pod();
  const bool ending = pod.metadata().has_deletion_timestamp();
  if (ending ? !behaviour_.ends : !behaviour_.runs) return;
  v1::NodeMessage message;
  message.mutable_status()->set_sequence(++batch_);
  v1::PodStatusUpdate* update = message.mutable_status()->add_pods();
  update->set_uid(pod.metadata().uid());
  update->set_namespace_(pod.metadata().namespace_());
  update->set_name(pod.metadata().name());
  update->set_epoch(held.epoch);
  update->set_sequence(++sequence_);
  v1::PodStatus* status = update->mutable_status();
  status->set_phase(ending ? v1::POD_PHASE_FAILED : v1::POD_PHASE_RUNNING);
  update->set_gone(ending);
  if (!ending) {
    status->mutable_start_time()->set_seconds(kLongAgo);
    AddCondition("Initialized", status);
    AddCondition("ContainersReady", status);
    AddCondition("Ready", status);
    v1::ContainerStatus* container = status->add_container_statuses();
    container->set_name(pod.spec().containers(0).name());
    container->set_ready(true);
    container->mutable_state()->mutable_running()->set_pid(1);
  }
  Write(message);
}

void FakeNode::Fetch(const v1::ImageArchive& archive) {
  v1::NodeMessage message;
  v1::ImageReport* report = message.mutable_image_report();
  report->set_archive(archive.archive());
  report->set_load(archive.load());
  if (!behaviour_.refuses_images.empty()) {
    report->set_error(behaviour_.refuses_images);
    Write(message);
    return;
  }
  grpc::ClientContext context;
  v1::FetchImageRequest request;
  request.set_archive(archive.archive());
  const auto reader = stub_->FetchImage(&context, request);
  std::string bytes;
  v1::FetchImageResponse chunk;
  while (reader->Read(&chunk)) bytes += chunk.data();
  if (!reader->Finish().ok()) return;
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  if (absl::StrCat("sha256:", absl::BytesToHexString(digest)) != archive.archive()) {
    report->set_error("what arrived is something else");
  } else {
    images_.push_back(archive.archive());
    v1::Image* image = report->add_images();
    image->add_names(archive.fallback_name());
    image->set_digest(archive.archive());
    image->set_size_bytes(static_cast<int64_t>(bytes.size()));
  }
  Write(message);
}

}  // namespace cluster::controller
