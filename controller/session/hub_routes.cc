// Where services lead goes to every node; pods that were behind one end once no node leads there.
#include <utility>

#include "base/log.h"
#include "controller/session/hub.h"

namespace cluster::controller {
namespace {

// Beats and reports wait no longer than these take.
constexpr int kToldAtOnce = 8;
// Whole tables that are on their way at a time; those of so few services do not count.
constexpr int kWholeTablesAbreast = 32;
constexpr int kSmallTable = 50;

}  // namespace

void Hub::FollowRoutes() {
  routes_.Reset(view_);
  for (const std::string& uid : routes_.Left()) {
    const EntryPtr pod = view_.FindUid(uid);
    if (pod != nullptr) DrainIfEnding(nullptr, pod);
  }
}

void Hub::TellRoutes() {
  for (const auto& [node, session] : by_node_) {
    if (session->routes_told != routes_.version()) QueueRoutes(session);
  }
  TellSomeRoutes();
}

void Hub::QueueRoutes(Session* session) {
  if (!session->open || std::exchange(session->routes_queued, true)) return;
  routes_queue_.push_back(session->link);
}

void Hub::TellSomeRoutes() {
  if (routes_go_on_) return;
  for (int i = 0; i < kToldAtOnce && !routes_queue_.empty(); ++i) {
    Session* session = Find(routes_queue_.front());
    if (session != nullptr && routes_.IsAll(session->routes_told) && !session->whole_table &&
        whole_tables_ >= kWholeTablesAbreast) {
      return;  // goes on when one of them has arrived
    }
    routes_queue_.pop_front();
    if (session == nullptr) continue;
    session->routes_queued = false;
    if (TakesRoutes(session)) SendRoutes(session);
  }
  if (routes_queue_.empty()) return;
  routes_go_on_ = true;
  parts_.strand->Post([this] {
    routes_go_on_ = false;
    TellSomeRoutes();
  });
}

// At once after a quiet time and an acknowledgement, otherwise after a hold that grows with the
// cluster: every change goes to every node. Of new services at once: pods wait for that.
bool Hub::TakesRoutes(Session* session) {
  if (!session->open || session->routes_told == routes_.version()) return false;
  if (session->routes_told < routes_.addresses_version()) return true;
  if (session->routes_in_flight > 0 || session->routes_later) return false;
  const auto nodes = static_cast<int64_t>(by_node_.size());
  const absl::Duration wait =
      session->routes_sent + options_.route_hold_per_node * nodes - parts_.clock->Monotonic();
  if (wait <= absl::ZeroDuration()) return true;
  session->routes_later = true;
  parts_.strand->PostAfter(wait, [this, link = session->link] {
    Session* waiting = Find(link);
    if (waiting == nullptr) return;
    waiting->routes_later = false;
    QueueRoutes(waiting);
    TellSomeRoutes();
  });
  return false;
}

void Hub::SendRoutes(Session* session) {
  v1::ControllerMessage message;
  *message.mutable_routes() = *routes_.Since(session->routes_told);
  const bool large = message.routes().complete() && message.routes().services_size() > kSmallTable;
  if (large && !std::exchange(session->whole_table, true)) {
    ++whole_tables_;
    // One that does not answer holds up the others no longer than a pod.
    parts_.strand->PostAfter(options_.drain_patience, [this, link = session->link] {
      if (Session* slow = Find(link); slow != nullptr) EndWholeTable(slow);
    });
  }
  session->routes_told = routes_.version();
  session->routes_sent = parts_.clock->Monotonic();
  ++session->routes_in_flight;
  session->link->Send(std::move(message));
  // What waited for it.
  if (session->dirty) Flush(session);
  if (session->dirty) SetDirty(session);
}

void Hub::EndWholeTable(Session* session) {
  if (!std::exchange(session->whole_table, false)) return;
  --whole_tables_;
  TellSomeRoutes();
}

void Hub::OnRoutesAck(Session* session, const v1::RoutesAck& ack) {
  if (session->routes_in_flight == 0 || ack.version() > session->routes_told) {
    return session->link->Close(
        absl::InvalidArgumentError("the node acknowledges routes that it was not told"));
  }
  // One answers all that came before it.
  if (ack.version() == session->routes_told) session->routes_in_flight = 0;
  session->routes_known = ack.version();
  // A lost node counts again when it has come back.
  if (ContactOf(session->node) != Contact::kLost) {
    drains_.Acknowledge(session->node, ack.version());
  }
  EndWholeTable(session);
  QueueRoutes(session);
  TellSomeRoutes();
  EndDrained();
}

void Hub::DrainIfEnding(const EntryPtr& before, const EntryPtr& after) {
  const bool same = before != nullptr && after != nullptr && before->uid == after->uid;
  if (before != nullptr && before->marks.terminating && !same) drains_.Forget(before->uid.Text());
  if (after == nullptr || !after->marks.terminating) return;
  const v1::ObjectMeta& meta = Meta(after->object);
  // At once, and never mind who is talking to it.
  if (meta.deletion_grace_period_seconds() == 0) return drains_.Forget(meta.uid());
  if (same && before->marks.terminating) return;
  const int64_t version = routes_.LeftWith(meta.uid());
  if (version <= drains_.everywhere()) return;
  drains_.Hold(meta.uid(), after->key, version,
               parts_.clock->Monotonic() + options_.drain_patience);
  ScheduleDrains();
}

void Hub::EndDrained() {
  const std::vector<DrainBook::Drained> all = drains_.TakeDrained(parts_.clock->Monotonic());
  for (const DrainBook::Drained& drained : all) {
    if (!drained.laggard.empty()) {
      LOG_WARN(
          "{} ends though node {} may still send it new connections: it has not answered for {}",
          drained.key, drained.laggard, absl::FormatDuration(options_.drain_patience));
    }
    const EntryPtr pod = view_.Find(drained.key);
    if (pod != nullptr && Meta(pod->object).uid() == drained.uid) PodChanged(*pod);
  }
  if (!all.empty()) FlushAll();
  ScheduleDrains();
}

void Hub::ScheduleDrains() {
  const absl::Duration due = drains_.next();
  if (due >= drain_timer_) return;
  drain_timer_ = due;
  parts_.strand->PostAfter(due - parts_.clock->Monotonic(), [this, due] {
    if (drain_timer_ == due) drain_timer_ = absl::InfiniteDuration();
    EndDrained();
  });
}

}  // namespace cluster::controller
