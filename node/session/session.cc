#include "node/session/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "node/session/peer_list.h"
#include "proto/schema/assignments_digest.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::node {
namespace {

// From dialling to Welcome.
constexpr absl::Duration kHelloDeadline = absl::Seconds(10);
constexpr absl::Duration kFactsPeriod = absl::Seconds(30);
// Batches on their way at once; more would only queue.
constexpr int64_t kMaxUnacknowledged = 8;

}  // namespace

Session::Session(SessionOptions options, SessionParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      random_(options_.seed),
      strand_("session", parts_.executor) {}

Session::~Session() { Stop(); }

void Session::Start() {
  strand_.Post([this] {
    node_ = parts_.records->Node();
    ApplyNetwork(true, true);
    parts_.archives->SetWanted({node_.archives().begin(), node_.archives().end()});
    Connect();
  });
  parts_.outbox->SetListener([this] { strand_.Post([this] { ScheduleFlush(); }); });
  parts_.workers->SetForgottenListener(
      [this] { strand_.Post([this] { AcknowledgeWhenClean(); }); });
}

void Session::Stop() {
  if (stop_called_.exchange(true)) return;
  parts_.outbox->SetListener(nullptr);
  parts_.workers->SetForgottenListener(nullptr);
  strand_.Call([this] {
    stopping_ = true;
    if (stream_ != nullptr) stream_->Cancel();
  });
  {
    // The stream's last callback posts to the strand: it must have come before the strand ends.
    MutexLock lock(&mutex_);
    while (has_stream_) stream_gone_.Wait(&mutex_);
  }
  strand_.Stop();
}

std::shared_ptr<grpc::Channel> Session::channel() const {
  MutexLock lock(&mutex_);
  return channel_;
}

absl::Duration Session::LeaseEnd() const {
  MutexLock lock(&mutex_);
  return lease_.end();
}

void Session::PostAfter(absl::Duration delay, std::function<void()> task) {
  strand_.PostAfter(delay, [this, generation = generation_, task = std::move(task)] {
    if (generation == generation_ && !stopping_) task();
  });
}

void Session::Connect() {
  if (stopping_) return;
  const int64_t generation = ++generation_;
  welcomed_ = false;
  awaiting_complete_ = false;
  awaiting_clean_ = false;
  flush_scheduled_ = false;
  unacknowledged_ = 0;
  batch_sequence_ = 0;
  {
    MutexLock lock(&mutex_);
    has_stream_ = true;
  }
  ControllerStream::Events events;
  events.message = [this, generation](v1::ControllerMessage message) {
    strand_.Post([this, generation, message = std::move(message)]() mutable {
      if (generation != generation_ || stopping_) return;
      Handle(std::move(message));
      if (stream_ != nullptr) stream_->ReadNext();
    });
  };
  events.done = [this](absl::Status status, std::shared_ptr<ControllerStream> stream) {
    strand_.Post([this, status = std::move(status), stream = std::move(stream)] { Ended(status); });
  };
  Dialled dialled = parts_.dial(std::move(events));
  stream_ = std::move(dialled.stream);
  {
    MutexLock lock(&mutex_);
    channel_ = std::move(dialled.channel);
  }
  SendHello();
  PostAfter(kHelloDeadline + reconnect_.longest_queue(), [this] {
    if (!welcomed_) Break("no welcome from the controller");
  });
}

void Session::SendHello() {
  v1::NodeMessage message;
  v1::Hello* hello = message.mutable_hello();
  hello->set_node(options_.node);
  hello->set_agent_instance(options_.agent_instance);
  hello->set_boot_id(options_.boot_id);
  hello->set_last_session(node_.last_session());
  hello->set_applied_revision(node_.applied_revision());
  hello->set_assignments_digest(AssignmentsDigest(parts_.workers->Epochs()));
  hello->set_term(node_.term());
  for (const v1::ImageReport& report : node_.unpacked()) hello->add_archives(report.archive());
  *hello->mutable_facts() = parts_.facts();
  sent_facts_ = StableBytes(hello->facts().status());
  hello_sent_ = parts_.clock->Monotonic();
  stream_->Send(std::move(message));
}

void Session::Ended(const absl::Status& status) {
  stream_.reset();
  const bool was_welcomed = std::exchange(welcomed_, false);
  ++generation_;
  parts_.outbox->Requeue();
  {
    MutexLock lock(&mutex_);
    channel_.reset();
    has_stream_ = false;
    stream_gone_.SignalAll();
  }
  if (stopping_) return;
  const absl::Duration wait = reconnect_.Next(random_);
  if (was_welcomed) {
    LOG_WARN("session with {} ended: {}; dialling again", options_.controller, status.ToString());
  } else {
    LOG_DEBUG("dial {}: {}; again in {}", options_.controller, status.ToString(),
              absl::FormatDuration(wait));
  }
  PostAfter(wait, [this] { Connect(); });
}

void Session::Break(const std::string& why) {
  LOG_WARN("session with {}: {}", options_.controller, why);
  if (stream_ != nullptr) stream_->Cancel();
}

void Session::Handle(v1::ControllerMessage message) {
  using Message = v1::ControllerMessage;
  if (!welcomed_ && !message.has_welcome()) {
    Break("the controller spoke before its welcome");
    return;
  }
  switch (message.message_case()) {
    case Message::kWelcome:
      return HandleWelcome(message.welcome());
    case Message::kBeatAck:
      return HandleBeatAck(message.beat_ack());
    case Message::kAssignments:
      return HandleAssignments(std::move(*message.mutable_assignments()));
    case Message::kRoutes:
      return HandleRoutes(message.routes());
    case Message::kStatusAck:
      parts_.outbox->Acknowledge(message.status_ack().sequence());
      unacknowledged_ = std::max<int64_t>(0, batch_sequence_ - message.status_ack().sequence());
      ScheduleFlush();
      return;
    case Message::kOpenStream:
      parts_.open_stream(channel(), message.open_stream());
      return;
    case Message::MESSAGE_NOT_SET:
      return;  // from a newer controller
  }
}

void Session::HandleWelcome(const v1::Welcome& welcome) {
  if (welcome.term() < node_.term()) {
    return Break(absl::StrCat("refused: its term ", welcome.term(), " is below ", node_.term(),
                              ", it is a controller of the past"));
  }
  node_.set_term(welcome.term());
  node_.set_last_session(welcome.session());
  node_.set_pod_cidr(welcome.pod_cidr());
  node_.set_cluster_cidr(welcome.cluster_cidr());
  const absl::Status kept = KeepNode();
  if (!kept.ok()) return Break(absl::StrCat("cannot keep the session: ", kept.message()));
  welcomed_ = true;
  reconnect_.Succeeded();
  reconnect_.SetClusterSize(welcome.cluster_size());
  SetPace(welcome.beat_milliseconds(), welcome.ttl_milliseconds());
  last_heard_ = parts_.clock->Monotonic();
  {
    MutexLock lock(&mutex_);
    lease_.Begin(ttl_);
    // The hello is the first sign of life of the session, and no assignment comes before its
    // answer.
    lease_.Sent(0, hello_sent_);
  }
  ExtendLease(0);
  LOG_INFO("session {} with {}: term {}, pods {}", welcome.session(), options_.controller,
           welcome.term(), welcome.pod_cidr());
  ApplyNetwork(true, false);
  parts_.archives->Retry();
  SendBeat();
  ScheduleFlush();
  PostAfter(kFactsPeriod, [this] { SendFactsIfChanged(); });
}

void Session::ApplyNetwork(bool range, bool peers) {
  if (range && !node_.pod_cidr().empty()) {
    const absl::Status status = parts_.set_range(node_.pod_cidr(), node_.cluster_cidr());
    if (!status.ok()) LOG_ERROR("pod range {}: {}", node_.pod_cidr(), status.ToString());
    parts_.workers->RetryAll();
  }
  if (peers) {
    const absl::Status status = parts_.set_peers({node_.peers().begin(), node_.peers().end()});
    if (!status.ok()) LOG_ERROR("routes to the other nodes: {}", status.ToString());
  }
}

void Session::SendBeat() {
  const absl::Duration now = parts_.clock->Monotonic();
  if (now - last_heard_ > ttl_) return Break("no beat was answered for the whole lease");
  v1::NodeMessage message;
  message.mutable_beat()->set_sequence(++beat_sequence_);
  {
    MutexLock lock(&mutex_);
    lease_.Sent(beat_sequence_, now);
  }
  stream_->Send(std::move(message));
  const double stagger = absl::Uniform(random_, 0.9, 1.1);
  PostAfter(beat_ * stagger, [this] { SendBeat(); });
}

void Session::SetPace(int64_t beat_milliseconds, int64_t ttl_milliseconds) {
  beat_ = absl::Milliseconds(std::max<int64_t>(10, beat_milliseconds));
  ttl_ = absl::Milliseconds(std::max<int64_t>(40, ttl_milliseconds));
}

void Session::HandleBeatAck(const v1::BeatAck& ack) {
  last_heard_ = parts_.clock->Monotonic();
  if (ack.ttl_milliseconds() > 0) {
    SetPace(ack.beat_milliseconds(), ack.ttl_milliseconds());
    MutexLock lock(&mutex_);
    lease_.SetTtl(ttl_);
  }
  ExtendLease(ack.sequence());
}

void Session::ExtendLease(int64_t sequence) {
  absl::Duration end;
  {
    MutexLock lock(&mutex_);
    lease_.Acknowledged(sequence);
    end = lease_.end();
  }
  if (end == -absl::InfiniteDuration()) return;
  // Before the new lease holds: nothing of the old one starts again.
  if (parts_.lease->HasLapsed(parts_.clock->Monotonic())) parts_.workers->LoseLease();
  const absl::Status kept = parts_.lease->Extend(end, ttl_);
  if (!kept.ok()) LOG_ERROR("pods that exist once will end: {}", kept.ToString());
}

absl::Status Session::KeepNode() {
  v1::NodeStateChange change;
  *change.mutable_node() = node_;
  return parts_.records->Commit(std::move(change));
}

void Session::HandleAssignments(v1::Assignments assignments) {
  if (!assignments.complete()) {
    if (awaiting_complete_) return;
    if (assignments.applies_to() != node_.applied_revision()) {
      awaiting_complete_ = true;
      return Acknowledge(true);
    }
  }
  v1::NodeRecord node = node_;
  node.set_applied_revision(assignments.results_in());
  const bool archives = assignments.complete() || assignments.archives_changed();
  const bool peers = ChangePeers(assignments, node.mutable_peers());
  if (archives) node.mutable_archives()->Swap(assignments.mutable_archives());
  AssignmentChange change;
  change.complete = assignments.complete();
  change.assignments.assign(std::make_move_iterator(assignments.mutable_assignments()->begin()),
                            std::make_move_iterator(assignments.mutable_assignments()->end()));
  change.removed.assign(assignments.removed().begin(), assignments.removed().end());
  change.node = node;
  int refused = 0;
  const absl::Status applied = parts_.workers->Apply(std::move(change), &refused);
  if (!applied.ok()) {
    return Break(absl::StrCat("assignments cannot be kept: ", applied.message()));
  }
  if (!assignments.erase_claims().empty()) {
    parts_.erase_claims({assignments.erase_claims().begin(), assignments.erase_claims().end()});
  }
  if (refused > 0) LOG_WARN("{} assignments of an earlier epoch are refused", refused);
  node_ = std::move(node);
  ApplyNetwork(false, peers);
  if (archives) {
    parts_.archives->SetWanted({node_.archives().begin(), node_.archives().end()});
  }
  if (assignments.complete()) {
    awaiting_complete_ = false;
    awaiting_clean_ = true;
    clean_deadline_ = parts_.clock->Monotonic() + options_.stale_patience;
    PostAfter(options_.stale_patience, [this] { AcknowledgeWhenClean(); });
    return AcknowledgeWhenClean();
  }
  if (!awaiting_clean_) Acknowledge(false);
}

void Session::HandleRoutes(const v1::Routes& routes) {
  if (parts_.services->Apply(routes)) {
    v1::NodeStateChange change;
    // Also when there are none any more.
    *change.mutable_services() = parts_.services->Record();
    // Before a pod starts that is to find them.
    const absl::Status kept = parts_.records->Commit(std::move(change));
    if (!kept.ok()) return Break(absl::StrCat("services cannot be kept: ", kept.message()));
  }
  const auto applied = [this, generation = generation_, version = routes.version()] {
    strand_.Post([this, generation, version] {
      if (generation != generation_ || stopping_ || stream_ == nullptr) return;
      v1::NodeMessage message;
      message.mutable_routes_ack()->set_version(version);
      stream_->Send(std::move(message));
    });
  };
  parts_.routes->Submit(parts_.services->table(), applied);
}

// The acknowledgement of a complete list says that nothing else runs here any more.
void Session::AcknowledgeWhenClean() {
  if (!awaiting_clean_ || stream_ == nullptr) return;
  const size_t stale = parts_.workers->StaleCount();
  if (stale > 0 && parts_.clock->Monotonic() < clean_deadline_) return;
  if (stale > 0) LOG_WARN("{} stale pods are still being ended", stale);
  awaiting_clean_ = false;
  Acknowledge(false);
}

void Session::Acknowledge(bool resync) {
  v1::NodeMessage message;
  v1::AssignmentsAck* ack = message.mutable_assignments_ack();
  ack->set_applied_revision(node_.applied_revision());
  ack->set_resync(resync);
  ack->set_assignments_digest(AssignmentsDigest(parts_.workers->Epochs()));
  stream_->Send(std::move(message));
}

void Session::ScheduleFlush() {
  if (flush_scheduled_ || !welcomed_) return;
  flush_scheduled_ = true;
  PostAfter(options_.status_delay, [this] {
    flush_scheduled_ = false;
    Flush();
  });
}

void Session::Flush() {
  while (unacknowledged_ < kMaxUnacknowledged) {
    v1::NodeMessage message;
    if (!parts_.outbox->Take(batch_sequence_ + 1, message.mutable_status())) return;
    ++batch_sequence_;
    ++unacknowledged_;
    stream_->Send(std::move(message));
  }
}

void Session::TellFacts() {
  strand_.Post([this] {
    if (welcomed_ && stream_ != nullptr) SendFacts();
  });
}

void Session::SendFactsIfChanged() {
  SendFacts();
  PostAfter(kFactsPeriod, [this] { SendFactsIfChanged(); });
}

void Session::SendFacts() {
  const v1::Node facts = parts_.facts();
  std::string text = StableBytes(facts.status());
  if (text != sent_facts_) {
    sent_facts_ = std::move(text);
    v1::NodeMessage message;
    *message.mutable_status()->mutable_node() = facts.status();
    message.mutable_status()->set_sequence(++batch_sequence_);
    stream_->Send(std::move(message));
  }
}

void Session::ReportErased(const std::string& claim) {
  strand_.Post([this, claim] {
    if (stream_ == nullptr || !welcomed_) return;
    v1::NodeMessage message;
    message.mutable_status()->add_erased_claims(claim);
    message.mutable_status()->set_sequence(++batch_sequence_);
    stream_->Send(std::move(message));
  });
}

void Session::Report(v1::ImageReport report, bool fresh) {
  strand_.Post([this, report = std::move(report), fresh] {
    if (fresh) {
      auto* unpacked = node_.mutable_unpacked();
      const auto known = std::find_if(unpacked->begin(), unpacked->end(), [&](const auto& each) {
        return each.archive() == report.archive();
      });
      *(known == unpacked->end() ? unpacked->Add() : &*known) = report;
      const absl::Status kept = KeepNode();
      // Forgotten at worst: the next agent unpacks it again, which changes nothing.
      if (!kept.ok()) LOG_WARN("note archive {}: {}", report.archive(), kept.ToString());
      parts_.workers->RetryAll();
    }
    if (stream_ == nullptr || !welcomed_) return;
    v1::NodeMessage message;
    *message.mutable_image_report() = report;
    stream_->Send(std::move(message));
  });
}

}  // namespace cluster::node
