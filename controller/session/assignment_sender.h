// What one node has been told about its pods, and what it has to be told next. No I/O.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/v1/session.pb.h"
#include "controller/cache/view.h"
#include "controller/session/report_book.h"

namespace cluster::controller {

// What all nodes are told alike. The versions grow with each change.
struct ClusterFacts {
  std::vector<v1::Peer> peers;  // every node
  int64_t peers_version = 1;
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

  // The next message; false when the node knows everything. It counts as told from here on.
  bool Next(const ClusterFacts& facts, v1::Assignments* message);

  // A pod that the node reports and the store does not have.
  void TellRemoved(const std::string& uid) { stale_.insert(uid); }
  // The next message is a complete one.
  void Resync() { complete_ = true; }
  // False when the node holds something else than it was told up to this revision.
  bool Agrees(const v1::AssignmentsAck& ack) const;
  bool refers_to(const std::string& key) const { return references_.contains(key); }
  store::Rev told() const { return told_; }

 private:
  struct Told {
    int64_t epoch = 0;
    std::map<std::string, store::Rev> references;  // 0: absent
    friend bool operator==(const Told& a, const Told& b) {
      return a.epoch == b.epoch && a.references == b.references;
    }
  };
  struct Wanted {
    EntryPtr pod;
    Told told;
  };
  std::map<std::string, Wanted> WantedPods() const;
  void Fill(const Wanted& wanted, v1::Assignment* assignment) const;
  void AddFacts(const ClusterFacts& facts, v1::Assignments* message);
  void AddErasures(v1::Assignments* message);
  std::string Digest() const;

  const std::string node_;
  const View* const view_;
  const ReportBook* const reports_;
  std::map<std::string, Told> held_;  // by uid
  std::set<std::string> references_;
  std::set<std::string> stale_;
  std::set<std::string> erasures_;  // uids of claims, asked for in this session
  store::Rev told_ = 0;
  std::string digest_;
  bool complete_ = false;
  int64_t peers_version_ = 0;
  int64_t archives_version_ = 0;
};

}  // namespace cluster::controller
