#include "controller/session/assignment_sender.h"

#include <algorithm>
#include <utility>

#include "controller/object/claims.h"
#include "controller/object/references.h"
#include "proto/schema/assignments_digest.h"

namespace cluster::controller {
namespace {

// More changes than this at once are sent as the whole truth.
constexpr size_t kMaxDelta = 1000;

}  // namespace

std::set<std::string> ReferencedKeys(const v1::Pod& pod) {
  std::set<std::string> keys;
  for (auto& [key, optional] : DataReferences(pod.spec(), pod.metadata().namespace_())) {
    keys.insert(key);
  }
  for (std::string& claim : ClaimKeysOf(pod)) keys.insert(std::move(claim));
  return keys;
}

AssignmentSender::AssignmentSender(const v1::Hello& hello, const View* view,
                                   const ReportBook* reports)
    : node_(hello.node()), view_(view), reports_(reports) {
  WantedPods wanted = Considered();
  std::map<std::string, int64_t> epochs;
  for (auto& [uid, pod] : wanted) epochs[uid] = pod.epoch;
  complete_ = hello.applied_revision() == 0 || hello.applied_revision() > view_->revision() ||
              AssignmentsDigest(epochs) != hello.assignments_digest();
  if (complete_) return;
  told_ = hello.applied_revision();
  for (auto& [uid, pod] : wanted) {
    // References that changed while the node was away are unknown to it.
    for (auto& [key, rev] : pod.references) {
      if (rev > told_ || rev == 0) rev = -1;
    }
    Hold(uid, std::move(pod));
  }
}

AssignmentSender::Wanted AssignmentSender::WantedOf(EntryPtr pod) const {
  Wanted wanted;
  wanted.epoch = reports_->EpochOf(*pod);
  for (const std::string& key : ReferencedKeys(pod->object.pod())) {
    const EntryPtr found = view_->Find(key);
    wanted.references[key] = found == nullptr ? 0 : found->mod_rev;
  }
  wanted.pod = std::move(pod);
  return wanted;
}

AssignmentSender::WantedPods AssignmentSender::Considered() const {
  WantedPods wanted;
  if (Everything()) {
    for (EntryPtr& entry : view_->PodsOnNode(node_)) {
      const std::string uid = Meta(entry->object).uid();
      wanted.emplace(uid, WantedOf(std::move(entry)));
    }
    return wanted;
  }
  for (const auto& [uid, key] : touched_) {
    EntryPtr entry = view_->Find(key);
    // A name may be another pod's by now.
    if (entry == nullptr || Meta(entry->object).uid() != uid ||
        entry->object.pod().spec().node_name() != node_) {
      continue;
    }
    wanted.emplace(uid, WantedOf(std::move(entry)));
  }
  return wanted;
}

bool AssignmentSender::Considers(const std::function<bool(const std::string& uid)>& look) const {
  if (!Everything()) {
    return std::any_of(touched_.begin(), touched_.end(),
                       [&](const auto& touched) { return look(touched.first); });
  }
  const std::vector<EntryPtr> pods = view_->PodsOnNode(node_);
  return std::any_of(pods.begin(), pods.end(),
                     [&](const EntryPtr& pod) { return look(Meta(pod->object).uid()); });
}

bool AssignmentSender::IsHeld(const std::string& uid, const Wanted& wanted) const {
  const auto held = held_.find(UidKey(uid));
  if (held == held_.end() || held->second != wanted.epoch) return false;
  const auto references = held_references_.find(uid);
  if (references == held_references_.end()) return wanted.references.empty();
  return references->second == wanted.references;
}

void AssignmentSender::Hold(const std::string& uid, Wanted wanted) {
  Drop(uid);
  held_[UidKey(uid)] = wanted.epoch;
  if (wanted.references.empty()) return;
  for (const auto& [key, rev] : wanted.references) ++references_[key];
  held_references_[uid] = std::move(wanted.references);
}

void AssignmentSender::Drop(const std::string& uid) {
  held_.erase(UidKey(uid));
  const auto found = held_references_.find(uid);
  if (found == held_references_.end()) return;
  for (const auto& [key, rev] : found->second) {
    const auto use = references_.find(key);
    if (--use->second == 0) references_.erase(use);
  }
  held_references_.erase(found);
}

void AssignmentSender::Fill(const Wanted& wanted, v1::Assignment* assignment) const {
  *assignment->mutable_pod() = wanted.pod->object.pod();
  assignment->set_epoch(wanted.epoch);
  for (const auto& [key, rev] : wanted.references) {
    if (rev != 0) *assignment->add_references() = view_->Find(key)->object;
  }
}

void AssignmentSender::AddPeers(const ClusterFacts& facts, v1::Assignments* message) {
  const bool whole = message->complete() || peers_version_ < facts.peers_since;
  if (!whole && peers_version_ == facts.peers_version) return;
  message->set_peers_changed(whole);
  for (const auto& [node, known] : facts.peers) {
    if (node == node_) continue;
    if (whole && !known.gone) {
      *message->add_peers() = known.peer;
    } else if (!whole && known.version > peers_version_) {
      if (known.gone) {
        message->add_gone_peers(node);
      } else {
        *message->add_new_peers() = known.peer;
      }
    }
  }
  peers_version_ = facts.peers_version;
}

void AssignmentSender::AddFacts(const ClusterFacts& facts, v1::Assignments* message) {
  AddPeers(facts, message);
  if (message->complete() || archives_version_ != facts.archives_version) {
    archives_version_ = facts.archives_version;
    message->set_archives_changed(true);
    for (const v1::ImageArchive& archive : facts.archives) *message->add_archives() = archive;
  }
}

// Claims of this node that are being deleted and that no pod uses any more.
void AssignmentSender::AddErasures(v1::Assignments* message) {
  // A node that asks for everything may have missed what it was asked before.
  if (message->complete()) erasures_.clear();
  std::set<std::string> in_use;
  bool known = false;
  for (const auto& [key, entry] : view_->All(v1::Object::kPersistentVolumeClaim)) {
    const v1::PersistentVolumeClaim& claim = entry->object.persistent_volume_claim();
    if (!claim.metadata().has_deletion_timestamp() || claim.status().node_name() != node_) continue;
    if (!std::exchange(known, true)) {
      for (const EntryPtr& pod : view_->PodsOnNode(node_)) {
        if (!UsesItsClaims(pod->object.pod())) continue;
        for (std::string& used : ClaimKeysOf(pod->object.pod())) in_use.insert(std::move(used));
      }
    }
    if (in_use.contains(key) || !erasures_.insert(claim.metadata().uid()).second) continue;
    message->add_erase_claims(claim.metadata().uid());
  }
}

void AssignmentSender::AddRemoved(const WantedPods& wanted, v1::Assignments* message) {
  if (all_) {
    for (const auto& [key, epoch] : held_) {
      std::string uid = key.Text();
      if (!wanted.contains(uid)) stale_.insert(std::move(uid));
    }
  } else {
    for (const auto& [uid, key] : touched_) {
      if (held_.contains(UidKey(uid)) && !wanted.contains(uid)) stale_.insert(uid);
    }
  }
  for (const std::string& uid : stale_) {
    // Also one that was said to be gone and was bound to this node since.
    if (!wanted.contains(uid) && !IsWanted(uid)) message->add_removed(uid);
  }
}

bool AssignmentSender::IsWanted(const std::string& uid) const {
  const EntryPtr entry = view_->FindUid(uid);
  return entry != nullptr && entry->object.has_pod() &&
         entry->object.pod().spec().node_name() == node_;
}

bool AssignmentSender::Next(const ClusterFacts& facts,
                            const std::function<bool(const std::string& uid)>& held_back,
                            v1::Assignments* message) {
  WantedPods wanted = Considered();
  std::vector<std::string> changed;
  size_t waiting = 0;
  for (const auto& [uid, pod] : wanted) {
    if (!complete_ && IsHeld(uid, pod)) continue;
    if (!complete_ && held_back(uid)) {
      ++waiting;
    } else {
      changed.push_back(uid);
    }
  }
  if (!complete_ && waiting == 0 && changed.size() > kMaxDelta) {
    complete_ = true;
    return Next(facts, held_back, message);
  }
  message->set_complete(complete_);
  AddFacts(facts, message);
  AddErasures(message);
  for (const std::string& uid : changed) Fill(wanted[uid], message->add_assignments());
  if (!complete_) AddRemoved(wanted, message);
  const bool complete = std::exchange(complete_, false);
  stale_.clear();
  touched_.clear();
  all_ = false;
  if (!complete && message->assignments().empty() && message->removed().empty() &&
      !message->peers_changed() && message->new_peers().empty() && message->gone_peers().empty() &&
      !message->archives_changed() && message->erase_claims().empty()) {
    return false;
  }
  message->set_applies_to(complete ? 0 : told_);
  told_ = view_->revision();
  message->set_results_in(told_);
  if (complete) {
    held_.clear();
    held_references_.clear();
    references_.clear();
  }
  for (const std::string& uid : message->removed()) Drop(uid);
  for (const std::string& uid : changed) Hold(uid, std::move(wanted[uid]));
  AssignmentsDigester digester;
  for (const auto& [uid, epoch] : held_) digester.Add(uid.Text(), epoch);
  digest_ = digester.Digest();
  return true;
}

bool AssignmentSender::Agrees(const v1::AssignmentsAck& ack) const {
  if (ack.resync()) return false;
  return ack.applied_revision() != told_ || ack.assignments_digest() == digest_;
}

}  // namespace cluster::controller
