// What changes in the store goes to the nodes that it concerns.
#include <utility>

#include "base/log.h"
#include "controller/session/hub.h"

namespace cluster::controller {
namespace {

// Remembered to be told to those who knew them.
constexpr size_t kMostGonePeers = 1000;
// Beats and reports wait no longer than these take.
constexpr int kFlushedAtOnce = 8;

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

bool IsSame(const v1::Peer& a, const v1::Peer& b) {
  return a.address() == b.address() && a.pod_cidr() == b.pod_cidr();
}

bool SamePeer(const EntryPtr& before, const EntryPtr& after) {
  if (before == nullptr || after == nullptr) return false;
  return IsSame(PeerOf(before->object.node()), PeerOf(after->object.node()));
}

}  // namespace

absl::Status Hub::Follow() {
  view_ = parts_.cache->Snapshot();
  auto watch = parts_.cache->Watch({}, view_.revision(),
                                   [this] { parts_.strand->Post([this] { Look(); }); });
  if (!watch.ok()) return watch.status();
  watch_ = std::move(watch).value();
  pace_.SetNodes(view_.All(v1::Object::kNode).size());
  RefreshPeers();
  return absl::OkStatus();
}

void Hub::Look() {
  int64_t asked = 0;
  {
    MutexLock lock(&mutex_);
    asked = asked_;
  }
  while (true) {
    const auto taken = watch_->TakeChanges();
    if (!taken.ok()) {
      // Too slow for the cache's window: look at everything anew.
      LOG_WARN("node sessions fell behind the store and start over: {}", taken.status().ToString());
      const absl::Status followed = Follow();
      if (!followed.ok()) LOG_ERROR("node sessions cannot follow: {}", followed.ToString());
      FollowRoutes();
      SetAllDirty();
      for (const auto& [node, session] : by_node_) {
        if (session->sender != nullptr) session->sender->LookAtAll();
      }
      break;
    }
    if (taken->empty()) break;
    for (const ChangesPtr& changes : *taken) {
      for (const Change& change : changes->items) Apply(change);
      view_.set_revision(changes->rev);
    }
  }
  view_.set_revision(std::max(view_.revision(), watch_->position()));
  asked_seen_ = asked;
  writer_->OnView();
  TellRoutes();
  // A node may be gone for which some waited.
  EndDrained();
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
    OnPodChange(change);
  } else if (entry.object.has_config_map() || entry.object.has_secret()) {
    OnReferenceChange(entry.key);
  } else if (entry.object.has_persistent_volume_claim()) {
    OnReferenceChange(entry.key);
    MarkDirty(entry.object.persistent_volume_claim().status().node_name());
  } else if (entry.object.has_service()) {
    routes_.ServiceChanged(change.before, change.after, view_);
  }
}

void Hub::OnPodChange(const Change& change) {
  // Before anybody is told of its end.
  routes_.PodChanged(change.before, change.after);
  DrainIfEnding(change.before, change.after);
  if (change.before != nullptr) PodChanged(*change.before);
  if (change.after != nullptr) PodChanged(*change.after);
  const bool gone = change.before != nullptr &&
                    (change.after == nullptr ||
                     Meta(change.after->object).uid() != Meta(change.before->object).uid());
  if (gone) writer_->ForgetPod(Meta(change.before->object).uid());
}

void Hub::PodChanged(const Entry& pod) {
  const auto found = by_node_.find(pod.object.pod().spec().node_name());
  if (found == by_node_.end()) return;
  Session* session = found->second;
  SetDirty(session);
  if (session->sender != nullptr) {
    session->sender->PodChanged(Meta(pod.object).uid(), pod.key);
  }
}

void Hub::OnNodeChange(const Change& change) {
  if (!SamePeer(change.before, change.after)) OnPeersChange();
  if (change.before == nullptr || change.after == nullptr) {
    pace_.SetNodes(view_.All(v1::Object::kNode).size());
  }
  if (change.before == nullptr) {
    // Also one that somebody has declared and whose agent never comes: then it is said to be lost.
    leases_.Renew(Meta(change.after->object).name(), parts_.clock->Monotonic(), LongestLease());
    ScheduleLeases();
  }
  if (change.after != nullptr) return;
  const std::string& name = Meta(change.before->object).name();
  // An attached node whose object is deleted comes back with its next session.
  if (Session* session = FindOpen(name); session != nullptr) {
    session->link->Close(absl::AbortedError("the node's object was deleted: attach again"));
  }
  leases_.Forget(name);
  drains_.RemoveNode(name);
  RefuseStreams(name);
  {
    MutexLock lock(&mutex_);
    contacts_.erase(name);
  }
  parts_.contacts_changed();
}

// At once after a quiet time, otherwise after a hold that grows with the cluster.
void Hub::OnPeersChange() {
  if (peers_later_) return;
  const auto nodes = static_cast<int64_t>(view_.All(v1::Object::kNode).size());
  const absl::Duration hold = std::max(options_.hold, options_.peer_hold_per_node * nodes);
  const absl::Duration wait = peers_refreshed_ + hold - parts_.clock->Monotonic();
  if (wait <= absl::ZeroDuration()) return RefreshPeers();
  peers_later_ = true;
  parts_.strand->PostAfter(wait, [this] {
    peers_later_ = false;
    RefreshPeers();
    FlushAll();
  });
}

void Hub::RefreshPeers() {
  peers_refreshed_ = parts_.clock->Monotonic();
  const int64_t version = ++facts_.peers_version;
  std::map<std::string, ClusterFacts::KnownPeer> peers;
  for (const auto& [key, entry] : view_.All(v1::Object::kNode)) {
    v1::Peer peer = PeerOf(entry->object.node());
    const std::string node = peer.node();
    const auto known = facts_.peers.find(node);
    const bool same =
        known != facts_.peers.end() && !known->second.gone && IsSame(known->second.peer, peer);
    peers[node] = {std::move(peer), same ? known->second.version : version, false};
  }
  size_t gone = 0;
  for (auto& [node, known] : facts_.peers) {
    if (peers.contains(node)) continue;
    ++gone;
    peers[node] = {{}, known.gone ? known.version : version, true};
  }
  if (gone > kMostGonePeers) {
    std::erase_if(peers, [](const auto& peer) { return peer.second.gone; });
    facts_.peers_since = version;
  }
  facts_.peers = std::move(peers);
  SetAllDirty();
}

void Hub::OnReferenceChange(const std::string& key) {
  for (const auto& [node, session] : by_node_) {
    if (session->sender == nullptr || !session->sender->refers_to(key)) continue;
    session->sender->LookAtAll();
    SetDirty(session);
  }
}

void Hub::SetDirty(Session* session) {
  session->dirty = true;
  if (!std::exchange(session->listed, true)) dirty_.push_back(session->link);
}

void Hub::SetAllDirty() {
  for (const auto& [node, session] : by_node_) SetDirty(session);
}

void Hub::MarkDirty(const std::string& node) {
  const auto found = by_node_.find(node);
  if (found != by_node_.end()) SetDirty(found->second);
}

void Hub::FlushAll() {
  flushing_.insert(flushing_.end(), dirty_.begin(), dirty_.end());
  dirty_.clear();
  if (!flush_goes_on_) FlushSome();
}

void Hub::FlushSome() {
  for (int i = 0; i < kFlushedAtOnce && !flushing_.empty(); ++i) {
    Session* session = Find(flushing_.front());
    flushing_.pop_front();
    if (session == nullptr) continue;
    session->listed = false;
    if (session->dirty) Flush(session);
    // Nothing else comes back to it: not a timer, nor the end of a message that is on its way.
    const bool comes_back = !session->open || session->in_flight || session->flush_later;
    if (session->dirty && !comes_back) SetDirty(session);
  }
  if (flushing_.empty()) return;
  flush_goes_on_ = true;
  parts_.strand->Post([this] {
    flush_goes_on_ = false;
    FlushSome();
  });
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
    if (waiting->dirty) SetDirty(waiting);
  });
}

void Hub::SendAssignments(Session* session) {
  if (!MayBeTold(*session)) return;
  // What starts is to find the services that were there before it.
  if (session->routes_told < routes_.addresses_version()) {
    QueueRoutes(session);
    return TellSomeRoutes();
  }
  // Soon settled, and then everything is flushed again.
  const auto uncertain = [this](const std::string& uid) { return writer_->Uncertain(uid); };
  const auto drains = [this](const std::string& uid) { return drains_.Holds(uid); };
  if (session->sender == nullptr) {
    for (const EntryPtr& pod : view_.PodsOnNode(session->node)) {
      if (uncertain(Meta(pod->object).uid())) return;
    }
    session->sender = std::make_unique<AssignmentSender>(session->hello, &view_, &reports_);
    for (const std::string& uid : std::exchange(session->removed, {})) {
      session->sender->TellRemoved(uid);
    }
  }
  if (session->sender->Considers(uncertain)) return;
  if (session->sender->IsNextComplete() && session->sender->Considers(drains)) return;
  session->dirty = false;
  v1::ControllerMessage message;
  if (session->sender->Next(facts_, drains, message.mutable_assignments())) {
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
  if (!session->dirty) return;
  Flush(session);
  if (session->dirty) SetDirty(session);
}

}  // namespace cluster::controller
