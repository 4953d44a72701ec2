#include "tests/integration/node/fake_controller.h"

#include "proto/schema/assignments_digest.h"

namespace cluster::node {

FakeController::FakeController(const std::string& socket) : address_("unix:" + socket) { Up(); }

FakeController::~FakeController() { Down(); }

void FakeController::Up() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

void FakeController::Down() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
}

void FakeController::SetTerm(int64_t term) {
  MutexLock lock(&mutex_);
  term_ = term;
}

void FakeController::AcknowledgeStatus(bool acknowledge) {
  MutexLock lock(&mutex_);
  acknowledge_ = acknowledge;
}

std::string FakeController::DigestLocked() const {
  std::map<std::string, int64_t> epochs;
  for (const auto& [uid, assignment] : wanted_) epochs[uid] = assignment.epoch();
  return AssignmentsDigest(epochs);
}

std::string FakeController::Digest() {
  MutexLock lock(&mutex_);
  return DigestLocked();
}

void FakeController::Complete(v1::Assignments* assignments) {
  assignments->set_complete(true);
  assignments->set_results_in(revision_);
  for (const auto& [uid, assignment] : wanted_) *assignments->add_assignments() = assignment;
  for (const v1::ImageArchive& archive : archives_) *assignments->add_archives() = archive;
  assignments->set_archives_changed(true);
  told_ = revision_;
}

void FakeController::Tell(v1::Assignments delta) {
  if (stream_ == nullptr) return;
  v1::ControllerMessage message;
  delta.set_applies_to(told_);
  delta.set_results_in(revision_);
  told_ = revision_;
  *message.mutable_assignments() = std::move(delta);
  stream_->Write(message);
}

void FakeController::Assign(const v1::Assignment& assignment) {
  MutexLock lock(&mutex_);
  ++revision_;
  wanted_[assignment.pod().metadata().uid()] = assignment;
  v1::Assignments delta;
  *delta.add_assignments() = assignment;
  Tell(std::move(delta));
}

void FakeController::Remove(const std::string& uid) {
  MutexLock lock(&mutex_);
  ++revision_;
  wanted_.erase(uid);
  v1::Assignments delta;
  delta.add_removed(uid);
  Tell(std::move(delta));
}

void FakeController::RemoveSilently(const std::string& uid) {
  MutexLock lock(&mutex_);
  ++revision_;
  wanted_.erase(uid);
}

void FakeController::Want(const v1::ImageArchive& archive, const std::string& content) {
  MutexLock lock(&mutex_);
  ++revision_;
  archives_.push_back(archive);
  contents_[archive.archive()] = content;
  v1::Assignments delta;
  delta.set_archives_changed(true);
  for (const v1::ImageArchive& wanted : archives_) *delta.add_archives() = wanted;
  Tell(std::move(delta));
}

void FakeController::Send(const v1::ControllerMessage& message) {
  MutexLock lock(&mutex_);
  if (stream_ != nullptr) stream_->Write(message);
}

void FakeController::CutSession() {
  MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

bool FakeController::Await(const std::function<bool(const Heard&)>& holds) {
  MutexLock lock(&mutex_);
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!holds(heard_)) {
    if (absl::Now() >= deadline) return false;
    heard_something_.WaitFor(&mutex_, absl::Seconds(1));
  }
  return true;
}

FakeController::Heard FakeController::heard() {
  MutexLock lock(&mutex_);
  return heard_;
}

int64_t FakeController::revision() {
  MutexLock lock(&mutex_);
  return revision_;
}

void FakeController::Script(const std::string& id, std::vector<v1::ControllerFrame> frames) {
  MutexLock lock(&mutex_);
  scripts_[id] = std::move(frames);
}

void FakeController::Welcome(AttachStream* stream, const v1::Hello& hello) {
  v1::ControllerMessage welcome;
  welcome.mutable_welcome()->set_session(++sessions_);
  welcome.mutable_welcome()->set_term(term_);
  welcome.mutable_welcome()->set_beat_milliseconds(50);
  welcome.mutable_welcome()->set_ttl_milliseconds(5000);
  welcome.mutable_welcome()->set_cluster_size(1);
  welcome.mutable_welcome()->set_pod_cidr("10.64.0.0/22");
  welcome.mutable_welcome()->set_cluster_cidr("10.64.0.0/10");
  stream->Write(welcome);
  if (hello.assignments_digest() == DigestLocked() && hello.applied_revision() != 0) {
    told_ = hello.applied_revision();
    return;
  }
  v1::ControllerMessage complete;
  Complete(complete.mutable_assignments());
  stream->Write(complete);
}

grpc::Status FakeController::Attach(grpc::ServerContext* context, AttachStream* stream) {
  v1::NodeMessage message;
  if (!stream->Read(&message) || !message.has_hello()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "no hello"};
  }
  {
    MutexLock lock(&mutex_);
    heard_.hellos.push_back(message.hello());
    stream_ = stream;
    context_ = context;
    Welcome(stream, message.hello());
    heard_something_.SignalAll();
  }
  while (stream->Read(&message)) Hear(stream, message);
  MutexLock lock(&mutex_);
  if (stream_ == stream) {
    stream_ = nullptr;
    context_ = nullptr;
  }
  return grpc::Status::OK;
}

void FakeController::Hear(AttachStream* stream, const v1::NodeMessage& message) {
  MutexLock lock(&mutex_);
  v1::ControllerMessage answer;
  if (message.has_beat()) {
    ++heard_.beats;
    answer.mutable_beat_ack()->set_sequence(message.beat().sequence());
    stream->Write(answer);
  }
  if (message.has_status()) {
    for (const v1::PodStatusUpdate& update : message.status().pods()) {
      heard_.updates.push_back(update);
      heard_.pods[update.uid()] = update;
    }
    for (const v1::Event& event : message.status().events()) heard_.events.push_back(event);
    if (acknowledge_) {
      answer.mutable_status_ack()->set_sequence(message.status().sequence());
      stream->Write(answer);
    }
  }
  if (message.has_assignments_ack()) {
    heard_.acks.push_back(message.assignments_ack());
    if (message.assignments_ack().resync()) {
      Complete(answer.mutable_assignments());
      stream->Write(answer);
    }
  }
  if (message.has_routes_ack()) heard_.routes_acks.push_back(message.routes_ack().version());
  if (message.has_image_report()) heard_.reports.push_back(message.image_report());
  heard_something_.SignalAll();
}

grpc::Status FakeController::DialBack(grpc::ServerContext*, BackStream* stream) {
  v1::NodeFrame frame;
  if (!stream->Read(&frame) || frame.frame_case() != v1::NodeFrame::kHello) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "no hello"};
  }
  const std::string id = frame.hello();
  std::vector<v1::ControllerFrame> script;
  {
    MutexLock lock(&mutex_);
    script = scripts_[id];
    heard_.streams[id];
  }
  for (const v1::ControllerFrame& down : script) stream->Write(down);
  while (stream->Read(&frame)) {
    MutexLock lock(&mutex_);
    heard_.streams[id].push_back(frame);
    heard_something_.SignalAll();
  }
  MutexLock lock(&mutex_);
  heard_.ended_streams.insert(id);
  heard_something_.SignalAll();
  return grpc::Status::OK;
}

grpc::Status FakeController::FetchImage(grpc::ServerContext*, const v1::FetchImageRequest* request,
                                        grpc::ServerWriter<v1::FetchImageResponse>* writer) {
  std::string content;
  {
    MutexLock lock(&mutex_);
    content = contents_[request->archive()];
  }
  for (size_t at = 0; at < content.size(); at += 1000) {
    v1::FetchImageResponse chunk;
    chunk.set_data(content.substr(at, 1000));
    writer->Write(chunk);
  }
  return grpc::Status::OK;
}

}  // namespace cluster::node
