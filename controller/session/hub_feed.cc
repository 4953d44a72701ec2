// What changes in the store goes to the nodes that it concerns.
#include "base/log.h"
#include "controller/session/hub.h"

namespace cluster::controller {
namespace {

v1::Peer PeerOf(const v1::Node& node) {
  v1::Peer peer;
  peer.set_node(node.metadata().name());
  peer.set_pod_cidr(node.spec().pod_cidr());
  for (const v1::NodeAddress& address : node.status().addresses()) {
    if (address.type() == "InternalIP" && peer.address().empty()) {
      peer.set_address(address.address());
    }
  }
  return peer;
}

bool SamePeer(const EntryPtr& before, const EntryPtr& after) {
  if (before == nullptr || after == nullptr) return false;
  const v1::Peer old_peer = PeerOf(before->object.node());
  const v1::Peer new_peer = PeerOf(after->object.node());
  return old_peer.address() == new_peer.address() && old_peer.pod_cidr() == new_peer.pod_cidr();
}

}  // namespace

absl::Status Hub::Follow() {
  view_ = parts_.cache->Snapshot();
  auto watch = parts_.cache->Watch({}, view_.revision(),
                                   [this] { parts_.strand->Post([this] { Look(); }); });
  if (!watch.ok()) return watch.status();
  watch_ = std::move(watch).value();
  RefreshPeers();
  return absl::OkStatus();
}

void Hub::Look() {
  while (true) {
    const auto taken = watch_->TakeChanges();
    if (!taken.ok()) {
      // Too slow for the cache's window: look at everything anew.
      LOG_WARN("node sessions fell behind the store and start over: {}", taken.status().ToString());
      const absl::Status followed = Follow();
      if (!followed.ok()) LOG_ERROR("node sessions cannot follow: {}", followed.ToString());
      for (const auto& [node, session] : by_node_) session->dirty = true;
      break;
    }
    if (taken->empty()) break;
    for (const ChangesPtr& changes : *taken) {
      for (const Change& change : changes->items) Apply(change);
      view_.set_revision(changes->rev);
    }
  }
  view_.set_revision(std::max(view_.revision(), watch_->position()));
  writer_->OnView();
  FlushAll();
}

void Hub::Apply(const Change& change) {
  if (change.after != nullptr) {
    view_.Put(change.after);
  } else {
    view_.Remove(change.before->key);
  }
  const Entry& entry = change.after != nullptr ? *change.after : *change.before;
  if (entry.object.has_node()) {
    OnNodeChange(change);
  } else if (entry.object.has_pod()) {
    if (change.before != nullptr) MarkDirty(change.before->object.pod().spec().node_name());
    if (change.after != nullptr) MarkDirty(change.after->object.pod().spec().node_name());
    const bool gone = change.before != nullptr &&
                      (change.after == nullptr ||
                       Meta(change.after->object).uid() != Meta(change.before->object).uid());
    if (gone) writer_->ForgetPod(Meta(change.before->object).uid());
  } else if (entry.object.has_config_map() || entry.object.has_secret()) {
    OnReferenceChange(entry.key);
  } else if (entry.object.has_persistent_volume_claim()) {
    OnReferenceChange(entry.key);
    MarkDirty(entry.object.persistent_volume_claim().status().node_name());
  }
}

void Hub::OnNodeChange(const Change& change) {
  if (!SamePeer(change.before, change.after)) RefreshPeers();
  if (change.before == nullptr) {
    // Also one that somebody has declared and whose agent never comes: then it is said to be lost.
    leases_.Renew(Meta(change.after->object).name(), parts_.clock->Monotonic());
    ScheduleLeases();
  }
  if (change.after != nullptr) return;
  const std::string& name = Meta(change.before->object).name();
  // An attached node whose object is deleted comes back with its next session.
  if (Session* session = FindOpen(name); session != nullptr) {
    session->link->Close(absl::AbortedError("the node's object was deleted: attach again"));
  }
  leases_.Forget(name);
  RefuseStreams(name);
  {
    MutexLock lock(&mutex_);
    contacts_.erase(name);
  }
  parts_.contacts_changed();
}

void Hub::RefreshPeers() {
  facts_.peers.clear();
  for (const auto& [key, entry] : view_.All(v1::Object::kNode)) {
    facts_.peers.push_back(PeerOf(entry->object.node()));
  }
  ++facts_.peers_version;
  for (const auto& [node, session] : by_node_) session->dirty = true;
}

void Hub::OnReferenceChange(const std::string& key) {
  for (const auto& [node, session] : by_node_) {
    if (session->sender != nullptr && session->sender->refers_to(key)) session->dirty = true;
  }
}

void Hub::MarkDirty(const std::string& node) {
  const auto found = by_node_.find(node);
  if (found != by_node_.end()) found->second->dirty = true;
}

void Hub::FlushAll() {
  for (const auto& [node, session] : by_node_) {
    if (session->dirty) Flush(session);
  }
}

// At once after a quiet time, otherwise after the hold.
void Hub::Flush(Session* session) {
  if (!session->open || session->in_flight || session->flush_later) return;
  const absl::Duration wait = session->last_sent + options_.hold - parts_.clock->Monotonic();
  if (wait <= absl::ZeroDuration()) return SendAssignments(session);
  session->flush_later = true;
  parts_.strand->PostAfter(wait, [this, link = session->link] {
    Session* waiting = Find(link);
    if (waiting == nullptr) return;
    waiting->flush_later = false;
    if (waiting->dirty && waiting->open && !waiting->in_flight) SendAssignments(waiting);
  });
}

void Hub::SendAssignments(Session* session) {
  for (const EntryPtr& pod : view_.PodsOnNode(session->node)) {
    // Soon settled, and then everything is flushed again.
    if (writer_->Uncertain(Meta(pod->object).uid())) return;
  }
  if (session->sender == nullptr) {
    session->sender = std::make_unique<AssignmentSender>(session->hello, &view_, &reports_);
  }
  session->dirty = false;
  v1::ControllerMessage message;
  if (session->sender->Next(facts_, message.mutable_assignments())) {
    session->in_flight = true;
    session->last_sent = parts_.clock->Monotonic();
    if (session->first_told == 0) session->first_told = session->sender->told();
    session->link->Send(std::move(message));
  }
  ReviewContact(session);
}

void Hub::OnAssignmentsSent(AgentLink* link) {
  Session* session = Find(link);
  if (session == nullptr) return;
  session->in_flight = false;
  if (session->dirty) Flush(session);
}

}  // namespace cluster::controller
