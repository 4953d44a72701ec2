#include "controller/session/assignment_sender.h"

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
  std::map<std::string, Wanted> wanted = WantedPods();
  std::map<std::string, int64_t> epochs;
  for (auto& [uid, pod] : wanted) epochs[uid] = pod.told.epoch;
  complete_ = hello.applied_revision() == 0 || hello.applied_revision() > view_->revision() ||
              AssignmentsDigest(epochs) != hello.assignments_digest();
  if (complete_) return;
  told_ = hello.applied_revision();
  for (auto& [uid, pod] : wanted) {
    // References that changed while the node was away are unknown to it.
    for (auto& [key, rev] : pod.told.references) {
      if (rev > told_ || rev == 0) rev = -1;
    }
    held_[uid] = std::move(pod.told);
  }
}

std::map<std::string, AssignmentSender::Wanted> AssignmentSender::WantedPods() const {
  std::map<std::string, Wanted> wanted;
  for (EntryPtr& entry : view_->PodsOnNode(node_)) {
    Wanted pod;
    pod.told.epoch = reports_->EpochOf(*entry);
    for (const std::string& key : ReferencedKeys(entry->object.pod())) {
      const EntryPtr found = view_->Find(key);
      pod.told.references[key] = found == nullptr ? 0 : found->mod_rev;
    }
    const std::string uid = Meta(entry->object).uid();
    pod.pod = std::move(entry);
    wanted[uid] = std::move(pod);
  }
  return wanted;
}

void AssignmentSender::Fill(const Wanted& wanted, v1::Assignment* assignment) const {
  *assignment->mutable_pod() = wanted.pod->object.pod();
  assignment->set_epoch(wanted.told.epoch);
  for (const auto& [key, rev] : wanted.told.references) {
    if (rev != 0) *assignment->add_references() = view_->Find(key)->object;
  }
}

void AssignmentSender::AddFacts(const ClusterFacts& facts, v1::Assignments* message) {
  if (message->complete() || peers_version_ != facts.peers_version) {
    peers_version_ = facts.peers_version;
    message->set_peers_changed(true);
    for (const v1::Peer& peer : facts.peers) {
      if (peer.node() != node_) *message->add_peers() = peer;
    }
  }
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

std::string AssignmentSender::Digest() const {
  std::map<std::string, int64_t> epochs;
  for (const auto& [uid, told] : held_) epochs[uid] = told.epoch;
  return AssignmentsDigest(epochs);
}

bool AssignmentSender::Next(const ClusterFacts& facts, v1::Assignments* message) {
  std::map<std::string, Wanted> wanted = WantedPods();
  std::vector<const Wanted*> changed;
  for (const auto& [uid, pod] : wanted) {
    const auto held = held_.find(uid);
    if (complete_ || held == held_.end() || !(held->second == pod.told)) changed.push_back(&pod);
  }
  if (!complete_ && changed.size() > kMaxDelta) {
    complete_ = true;
    return Next(facts, message);
  }
  message->set_complete(complete_);
  AddFacts(facts, message);
  AddErasures(message);
  for (const Wanted* pod : changed) Fill(*pod, message->add_assignments());
  if (!complete_) {
    for (const auto& [uid, told] : held_) {
      if (!wanted.contains(uid)) stale_.insert(uid);
    }
    for (const std::string& uid : stale_) {
      if (!wanted.contains(uid)) message->add_removed(uid);
    }
  }
  stale_.clear();
  if (!complete_ && message->assignments().empty() && message->removed().empty() &&
      !message->peers_changed() && !message->archives_changed() &&
      message->erase_claims().empty()) {
    return false;
  }
  message->set_applies_to(complete_ ? 0 : told_);
  told_ = view_->revision();
  message->set_results_in(told_);
  complete_ = false;
  held_.clear();
  references_.clear();
  for (auto& [uid, pod] : wanted) {
    for (const auto& [key, rev] : pod.told.references) references_.insert(key);
    held_[uid] = std::move(pod.told);
  }
  digest_ = Digest();
  return true;
}

bool AssignmentSender::Agrees(const v1::AssignmentsAck& ack) const {
  if (ack.resync()) return false;
  return ack.applied_revision() != told_ || ack.assignments_digest() == digest_;
}

}  // namespace cluster::controller
