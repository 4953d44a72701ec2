// How a session begins.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/session/hub.h"

namespace cluster::controller {
namespace {

constexpr int kPatientResyncs = 3;
constexpr absl::Duration kResyncPause = absl::Seconds(5);

// DNS-1123 subdomain.
bool IsNodeName(absl::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (const absl::string_view label : absl::StrSplit(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
      return false;
    }
    for (const char c : label) {
      if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-') return false;
    }
  }
  return true;
}

}  // namespace

absl::Status Hub::CheckHello(const v1::Hello& hello) const {
  if (!IsNodeName(hello.node())) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", hello.node(),
                     "\" is no name for a node: use lower case letters, digits, '-' and '.'"));
  }
  if (hello.agent_instance().empty()) {
    return absl::InvalidArgumentError("hello lacks the agent's instance");
  }
  if (hello.term() > parts_.store->Term()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this controller's term ", parts_.store->Term(), " is older than the term ", hello.term(),
        " that the node has seen: it is not the cluster's controller any more"));
  }
  return absl::OkStatus();
}

void Hub::OnHello(Session* session, const v1::Hello& hello, absl::Duration received) {
  if (!session->node.empty()) {
    return session->link->Close(absl::FailedPreconditionError("hello comes once in a session"));
  }
  const absl::Status checked = CheckHello(hello);
  if (!checked.ok()) return session->link->Close(checked);
  const auto found = by_node_.find(hello.node());
  if (found != by_node_.end()) {
    Session* other = found->second;
    const bool same_agent = other->hello.agent_instance() == hello.agent_instance();
    // The agent that follows knows the number of the session before it; a second machine of the
    // same name does not.
    const bool successor = hello.last_session() != 0 &&
                           hello.last_session() == registrar_->CurrentSession(hello.node());
    if (!same_agent && !successor) {
      LOG_WARN("a second agent calls itself node {}: refused", hello.node());
      return session->link->Close(absl::AlreadyExistsError(absl::StrCat(
          "a node named \"", hello.node(),
          "\" is attached already: give this one another --name, or stop the other agent")));
    }
    by_node_.erase(found);
    LeaveStreams(other);
    admissions_.Remove(other->link);
    other->link->Close(absl::AbortedError("a newer session of this node has begun"));
  }
  session->node = hello.node();
  session->hello = hello;
  session->pace = pace_.pace();
  by_node_[session->node] = session;
  leases_.Renew(session->node, received, LeaseOf(session->pace));
  ScheduleLeases();
  admissions_.Add(session->link);
  AdmitLater();
}

void Hub::AdmitLater() {
  if (admission_timer_ || admissions_.next() == absl::InfiniteDuration()) return;
  admission_timer_ = true;
  const auto admit = [this] {
    admission_timer_ = false;
    Admit();
  };
  const absl::Duration wait = admissions_.next() - parts_.clock->Monotonic();
  if (wait > absl::ZeroDuration()) {
    parts_.strand->PostAfter(wait, admit);
  } else {
    parts_.strand->Post(admit);
  }
}

void Hub::Admit() {
  AgentLink* link = admissions_.Take(parts_.clock->Monotonic());
  if (link != nullptr) {
    const auto done = [this, link](absl::StatusOr<Registration> made) {
      admissions_.Through();
      AdmitLater();
      Session* waiting = Find(link);
      if (waiting == nullptr) return;
      if (!made.ok()) return link->Close(made.status());
      if (registrar_->CurrentSession(waiting->node) != made->session) return;
      waiting->registration = *made;
      Welcome(waiting);
    };
    registrar_->Register(Find(link)->hello, done);
  }
  AdmitLater();
}

void Hub::Welcome(Session* session) {
  // It may have waited for longer than a lease.
  session->pace = pace_.pace();
  leases_.Renew(session->node, parts_.clock->Monotonic(), LeaseOf(session->pace));
  v1::ControllerMessage message;
  v1::Welcome* welcome = message.mutable_welcome();
  welcome->set_session(session->registration.session);
  welcome->set_term(parts_.store->Term());
  welcome->set_beat_milliseconds(absl::ToInt64Milliseconds(session->pace.beat));
  welcome->set_ttl_milliseconds(absl::ToInt64Milliseconds(session->pace.ttl));
  welcome->set_cluster_size(static_cast<int32_t>(view_.All(v1::Object::kNode).size()));
  welcome->set_pod_cidr(session->registration.pod_cidr);
  welcome->set_cluster_cidr(registrar_->cluster_cidr());
  session->link->Send(std::move(message));
  session->open = true;
  SetDirty(session);
  ComeBack(session);
  drains_.AddNode(session->node);
  QueueRoutes(session);
  TellSomeRoutes();
  LOG_INFO("node {} is attached, session {}", session->node, session->registration.session);
  for (StreamRequest& request : streams_.TakeWaiting(session->node)) {
    AskForStream(session, std::move(request));
  }
  archives_->Begin(session->node);
  Flush(session);
}

void Hub::OnAck(Session* session, const v1::AssignmentsAck& ack) {
  if (session->sender == nullptr) return;
  if (!session->sender->Agrees(ack)) {
    return Disagree(session);
  }
  session->disagreements = 0;
  if (session->first_told != 0 && ack.applied_revision() >= session->first_told) {
    session->agreed = true;
  }
  ReviewContact(session);
}

// Everything again; but a node that never agrees is not flooded.
void Hub::Disagree(Session* session) {
  session->sender->Resync();
  if (++session->disagreements <= kPatientResyncs) {
    LOG_WARN("node {} disagrees about its pods: it gets all of them again", session->node);
    return MarkDirty(session->node);
  }
  LOG_ERROR(
      "node {} disagrees about its pods though it got all of them {} times: trying again later",
      session->node, kPatientResyncs);
  parts_.strand->PostAfter(kResyncPause, [this, link = session->link] {
    Session* waiting = Find(link);
    if (waiting == nullptr) return;
    SetDirty(waiting);
    Flush(waiting);
  });
}

}  // namespace cluster::controller
