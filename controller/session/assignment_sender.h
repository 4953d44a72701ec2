// What one node has been told about its pods, and what it has to be told next. No I/O.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"

#include "cluster/v1/session.pb.h"
#include "controller/cache/view.h"
#include "controller/session/report_book.h"

namespace cluster::controller {

// What all nodes are told alike. The versions grow with each change.
struct ClusterFacts {
  struct KnownPeer {
    v1::Peer peer;
    int64_t version = 0;  // peers_version at its last change
    bool gone = false;
  };
  std::map<std::string, KnownPeer> peers;  // every node, and those that went of late
  int64_t peers_version = 1;
  // Who knows less than this version is told the whole list.
  int64_t peers_since = 1;
  std::vector<v1::ImageArchive> archives;
  int64_t archives_version = 1;
};

// ConfigMaps, Secrets and claims that the pod refers to: store keys, sorted.
std::set<std::string> ReferencedKeys(const v1::Pod& pod);

// Not thread-safe; works on its owner's view.
class AssignmentSender {
 public:
  // From what the agent says it holds: nothing but changes when both agree, else everything.
  AssignmentSender(const v1::Hello& hello, const View* view, const ReportBook* reports);

  // The next message; false when the node knows everything. It counts as told from here on, but for
  // pods that `held_back` says yes to: PodChanged when it says so no more. A complete message
  // leaves nobody out, so there must be none.
  bool Next(const ClusterFacts& facts, const std::function<bool(const std::string& uid)>& held_back,
            v1::Assignments* message);
  bool IsNextComplete() const { return complete_; }

  // What may be another than it was told: a pod came, changed or went. The next message considers
  // these alone.
  void PodChanged(const std::string& uid, const std::string& key) { touched_[uid] = key; }
  // The next message considers every pod.
  void LookAtAll() { all_ = true; }
  // Whether `look` says yes to the uid of a pod that the next message considers.
  bool Considers(const std::function<bool(const std::string& uid)>& look) const;
  // A pod that the node reports and the store does not have.
  void TellRemoved(const std::string& uid) { stale_.insert(uid); }
  // The next message is a complete one.
  void Resync() { complete_ = true; }
  // False when the node holds something else than it was told up to this revision.
  bool Agrees(const v1::AssignmentsAck& ack) const;
  bool refers_to(const std::string& key) const { return references_.contains(key); }
  store::Rev told() const { return told_; }

 private:
  using Revisions = std::map<std::string, store::Rev>;  // by store key; 0: absent
  // A pod as the node should have it.
  struct Wanted {
    EntryPtr pod;
    int64_t epoch = 0;
    Revisions references;
  };
  using WantedPods = std::map<std::string, Wanted>;  // by uid

  bool Everything() const { return complete_ || all_; }
  Wanted WantedOf(EntryPtr pod) const;
  // Those that are to be considered.
  WantedPods Considered() const;
  bool IsHeld(const std::string& uid, const Wanted& wanted) const;
  void Hold(const std::string& uid, Wanted wanted);
  void Drop(const std::string& uid);
  // Uids of pods that the node has to end, of those that are considered.
  void AddRemoved(const WantedPods& wanted, v1::Assignments* message);
  bool IsWanted(const std::string& uid) const;
  void Fill(const Wanted& wanted, v1::Assignment* assignment) const;
  void AddPeers(const ClusterFacts& facts, v1::Assignments* message);
  void AddFacts(const ClusterFacts& facts, v1::Assignments* message);
  void AddErasures(v1::Assignments* message);

  const std::string node_;
  const View* const view_;
  const ReportBook* const reports_;
  absl::btree_map<UidKey, int64_t> held_;                        // epoch by uid
  absl::flat_hash_map<std::string, Revisions> held_references_;  // by uid, where there are any
  std::map<std::string, int> references_;                        // key -> pods that refer to it
  std::map<std::string, std::string> touched_;                   // uid -> key
  std::set<std::string> stale_;
  std::set<std::string> erasures_;  // uids of claims, asked for in this session
  store::Rev told_ = 0;
  std::string digest_;
  bool complete_ = false;
  bool all_ = true;
  int64_t peers_version_ = 0;
  int64_t archives_version_ = 0;
};

}  // namespace cluster::controller
