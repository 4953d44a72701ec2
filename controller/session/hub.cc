#include "controller/session/hub.h"

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/reconcile/conditions.h"

namespace cluster::controller {
namespace {

// A timer that fires so much after its time is no sign of anything.
constexpr absl::Duration kOftenLate = absl::Milliseconds(500);

absl::Status NotAttached(const std::string& node) {
  return absl::UnavailableError(
      absl::StrCat("node ", node, " is not attached now: see `get nodes` and try again"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Hub>> Hub::Make(Parts parts, SessionOptions options) {
  ASSIGN_OR_RETURN(PodRanges ranges, PodRanges::Make(options.cluster_cidr, options.node_cidr_bits));
  auto hub = std::unique_ptr<Hub>(new Hub(std::move(parts), std::move(options), std::move(ranges)));
  RETURN_IF_ERROR(hub->Load());
  return hub;
}

Hub::Hub(Parts parts, SessionOptions options, PodRanges ranges)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      pace_(parts_.store, parts_.strand, &options_),
      admissions_(options_.admissions_per_second, options_.admission_burst,
                  options_.admissions_abreast),
      routes_(options_.service_cidr),
      drains_(options_.drain_pause),
      streams_(options_.dial_back_timeout) {
  writer_ = std::make_unique<StatusWriter>(
      parts_.store, parts_.strand, parts_.clock, &view_, &reports_,
      StatusWriter::Callbacks{[this](const std::string& node, const std::string& uid) {
                                Session* session = FindOpen(node);
                                if (session == nullptr) return;
                                TellRemoved(session, uid);
                              },
                              [this] { FlushAll(); }, [this] { Look(); }});
  registrar_ = std::make_unique<NodeRegistrar>(parts_.store, parts_.strand, parts_.clock, &view_,
                                               std::move(ranges), [this] { Look(); });
  archives_ = std::make_unique<ArchiveBook>(
      parts_.store, parts_.strand, [this] { return ReadyNodes(); },
      [this] {
        facts_.archives = archives_->List();
        ++facts_.archives_version;
        SetAllDirty();
        FlushAll();
      });
}

absl::Status Hub::Load() {
  ASSIGN_OR_RETURN(const store::Listing reports, parts_.store->List(kReportPrefix));
  RETURN_IF_ERROR(reports_.Load(reports.kvs));
  RETURN_IF_ERROR(registrar_->Load());
  RETURN_IF_ERROR(pace_.Load());
  RETURN_IF_ERROR(archives_->Load());
  facts_.archives = archives_->List();
  absl::Status followed;
  parts_.strand->Call([this, &followed] {
    followed = Follow();
    // A whole lease for everyone, and the time to dial again: before that nobody is lost.
    const absl::Duration now = parts_.clock->Monotonic();
    const auto& nodes = view_.All(v1::Object::kNode);
    const absl::Duration pause = LongestDialPause(static_cast<int64_t>(nodes.size()));
    for (const auto& [key, entry] : nodes) {
      leases_.Renew(Meta(entry->object).name(), now, LongestLease() + pause);
      if (!IsStoredAsLost(Meta(entry->object).name())) drains_.AddNode(Meta(entry->object).name());
    }
    FollowRoutes();
    for (const std::string& uid : reports_.Uids()) {
      if (view_.FindUid(uid) == nullptr) writer_->ForgetPod(uid);
    }
    ScheduleLeases();
  });
  return followed;
}

NodeContacts Hub::Contacts() {
  MutexLock lock(&mutex_);
  ++asked_;
  if (std::exchange(awaits_asking_, false)) parts_.strand->Post([this] { Look(); });
  return contacts_;
}

Hub::Session* Hub::Find(AgentLink* link) {
  const auto found = sessions_.find(link);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Hub::Session* Hub::FindOpen(const std::string& node) {
  const auto found = by_node_.find(node);
  return found == by_node_.end() || !found->second->open ? nullptr : found->second;
}

void Hub::OnMessage(AgentLink* link, const v1::NodeMessage& message, absl::Duration received) {
  Session* session = Find(link);
  if (session == nullptr) {
    session = (sessions_[link] = std::make_unique<Session>()).get();
    session->link = link;
  }
  if (message.has_hello()) return OnHello(session, message.hello(), received);
  if (!session->open) {
    return link->Close(absl::FailedPreconditionError("the first message of a session is hello"));
  }
  // Before the lease is renewed: with the answer the node counts by it too.
  if (message.has_beat()) session->pace = pace_.pace();
  Renew(session, received);
  if (message.has_beat()) {
    OnBeat(session, message.beat());
  } else if (message.has_status()) {
    OnStatus(session, message.status());
  } else if (message.has_assignments_ack()) {
    OnAck(session, message.assignments_ack());
  } else if (message.has_image_report()) {
    archives_->OnReport(session->node, message.image_report());
  } else if (message.has_routes_ack()) {
    OnRoutesAck(session, message.routes_ack());
  }
  if (session->dirty) {
    Flush(session);
    if (session->dirty) SetDirty(session);
  }
}

void Hub::OnClosed(AgentLink* link) {
  Session* session = Find(link);
  if (session == nullptr) return;
  const auto found = by_node_.find(session->node);
  if (found != by_node_.end() && found->second == session) {
    LOG_INFO("node {} is detached", session->node);
    by_node_.erase(found);
  }
  LeaveStreams(session);
  admissions_.Remove(link);
  const bool whole_table = session->whole_table;
  sessions_.erase(link);
  if (whole_table) {
    --whole_tables_;
    TellSomeRoutes();
  }
  archives_->Review();
}

void Hub::OnBeat(Session* session, const v1::Beat& beat) {
  v1::ControllerMessage answer;
  answer.mutable_beat_ack()->set_sequence(beat.sequence());
  answer.mutable_beat_ack()->set_beat_milliseconds(absl::ToInt64Milliseconds(session->pace.beat));
  answer.mutable_beat_ack()->set_ttl_milliseconds(absl::ToInt64Milliseconds(session->pace.ttl));
  session->link->Send(std::move(answer));
}

void Hub::OnStatus(Session* session, const v1::StatusBatch& batch) {
  for (const v1::Event& event : batch.events()) parts_.note(event);
  // The session may be gone by the time it is stored: then the node sends the batch again.
  writer_->Add(session->node, session->registration.lineage, batch,
               [this, link = session->link, number = session->registration.session,
                sequence = batch.sequence()] {
                 Session* open = Find(link);
                 if (open == nullptr || open->registration.session != number) return;
                 v1::ControllerMessage answer;
                 answer.mutable_status_ack()->set_sequence(sequence);
                 link->Send(std::move(answer));
               });
}

void Hub::OpenStream(const std::string& node, StreamRequest request) {
  Session* session = FindOpen(node);
  if (session != nullptr) return AskForStream(session, std::move(request));
  if (view_.Find(v1::Object::kNode, "", node) == nullptr || ContactOf(node) == Contact::kLost) {
    return request.refused(NotAttached(node));
  }
  streams_.Wait(node, std::move(request));
}

void Hub::RefuseStreams(const std::string& node) {
  for (const StreamRequest& request : streams_.TakeWaiting(node)) {
    request.refused(NotAttached(node));
  }
}

void Hub::AskForStream(Session* session, StreamRequest request) {
  v1::ControllerMessage message;
  *message.mutable_open_stream() = request.open;
  streams_.Asked(session->link, std::move(request), parts_.clock->Monotonic());
  session->link->Send(std::move(message));
}

void Hub::LeaveStreams(Session* session) {
  for (const StreamRequest& request :
       streams_.TakeAsked(session->link, parts_.clock->Monotonic())) {
    request.unanswered();
  }
}

void Hub::Renew(Session* session, absl::Duration received) {
  leases_.Renew(session->node, received, LeaseOf(session->pace));
  ScheduleLeases();
  if (session->agreed && ContactOf(session->node) == Contact::kLost) {
    // The stream lived through the loss: the node has to agree anew before it counts.
    session->agreed = false;
    session->first_told = 0;
    session->sender->Resync();
    MarkDirty(session->node);
    ComeBack(session);
    drains_.Acknowledge(session->node, session->routes_known);
  }
}

// Also before it has been told anything.
void Hub::TellRemoved(Session* session, const std::string& uid) {
  if (session->sender != nullptr) {
    session->sender->TellRemoved(uid);
  } else {
    session->removed.push_back(uid);
  }
  SetDirty(session);
}

void Hub::ComeBack(Session* session) {
  if (ContactOf(session->node) != Contact::kLost) return;
  {
    MutexLock lock(&mutex_);
    session->told_after = asked_;
    awaits_asking_ = true;
  }
  SetContact(session->node, Contact::kUnknown);
}

void Hub::CheckLeases() {
  const absl::Duration now = parts_.clock->Monotonic();
  // Whoever comes late to look has been away himself, and what nodes said meanwhile waits behind
  // this.
  const absl::Duration late = now - lease_timer_due_;
  if (late > kOftenLate) {
    LOG_WARN("this controller was held up for {}: leases last as much longer",
             absl::FormatDuration(late));
    leases_.Prolong(late);
  }
  for (const std::string& node : leases_.TakeExpired(now)) {
    // Also of one whose object is gone.
    if (!by_node_.contains(node)) drains_.RemoveNode(node);
    if (view_.Find(v1::Object::kNode, "", node) == nullptr) continue;
    const auto attached = by_node_.find(node);
    if (attached != by_node_.end() && !attached->second->open) {
      // It waits for us, not we for it.
      leases_.Renew(node, now, LeaseOf(attached->second->pace));
      continue;
    }
    LOG_WARN("node {} is lost: its lease ended without a beat", node);
    SetContact(node, Contact::kLost);
    // Whom it still sends where no longer matters: nobody counts on it.
    drains_.RemoveNode(node);
    RefuseStreams(node);
    archives_->Review();
  }
  EndDrained();
  ScheduleLeases();
}

void Hub::ScheduleLeases() {
  if (lease_timer_ || leases_.next() == absl::InfiniteDuration()) return;
  lease_timer_ = true;
  // Never early, and not later than a moment after the end.
  const absl::Duration wait = leases_.next() - parts_.clock->Monotonic();
  lease_timer_due_ = parts_.clock->Monotonic() + std::max(wait, absl::Milliseconds(1));
  parts_.strand->PostAfter(std::max(wait, absl::Milliseconds(1)), [this] {
    lease_timer_ = false;
    CheckLeases();
  });
}

Contact Hub::ContactOf(const std::string& node) const {
  MutexLock lock(&mutex_);
  const auto found = contacts_.find(node);
  return found == contacts_.end() ? Contact::kUnknown : found->second.contact;
}

void Hub::SetContact(const std::string& node, Contact contact) {
  {
    MutexLock lock(&mutex_);
    NodeContact& known = contacts_[node];
    if (known.contact == contact) return;
    known = {contact, parts_.clock->Monotonic()};
  }
  parts_.contacts_changed();
}

std::set<std::string> Hub::ReadyNodes() const {
  std::set<std::string> ready;
  MutexLock lock(&mutex_);
  for (const auto& [node, session] : by_node_) {
    const auto found = contacts_.find(node);
    if (session->open && found != contacts_.end() && found->second.contact == Contact::kReady) {
      ready.insert(node);
    }
  }
  return ready;
}

bool Hub::IsStoredAsLost(const std::string& node) const {
  const EntryPtr entry = view_.Find(v1::Object::kNode, "", node);
  if (entry == nullptr) return false;
  const v1::Condition* ready = FindCondition(entry->object.node().status().conditions(), "Ready");
  return ready != nullptr && ready->status() != v1::CONDITION_STATUS_TRUE;
}

// A node that was lost counts again once it holds exactly what it should and every pod that was
// replaced meanwhile has ended on it.
void Hub::ReviewContact(Session* session) {
  if (!session->open || !session->agreed) return;
  const Contact contact = ContactOf(session->node);
  if (contact == Contact::kReady) return;
  if (contact == Contact::kLost || IsStoredAsLost(session->node)) {
    for (const EntryPtr& pod : view_.PodsOnNode(session->node)) {
      if (Meta(pod->object).has_deletion_timestamp()) return;
    }
  }
  drains_.Acknowledge(session->node, session->routes_known);
  LOG_INFO("node {} is ready", session->node);
  SetContact(session->node, Contact::kReady);
  archives_->Review();
}

}  // namespace cluster::controller
