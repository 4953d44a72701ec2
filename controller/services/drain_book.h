// Pods whose end waits until no node sends them new connections, and which version of the route
// table each node's kernel goes by. No I/O, no clock; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace cluster::controller {

class DrainBook {
 public:
  struct Drained {
    std::string uid;
    std::string key;
    std::string laggard;  // a node that had not said so at the deadline; empty: all had
  };

  // Between the moment when no node sends a pod new connections and its end: for those that are on
  // their way, or that its listener has not taken yet.
  explicit DrainBook(absl::Duration pause) : pause_(pause) {}

  // The node's packets count, by a version that is not known yet unless it is in the book already.
  void AddNode(const std::string& node);
  // It routes by this version.
  void Acknowledge(const std::string& node, int64_t version);
  // Nobody waits for the node any more: it is lost, or gone.
  void RemoveNode(const std::string& node);
  // The version that every node routes by, at least. The largest number without any node.
  int64_t everywhere() const;
  // The pod's end waits until `version` is everywhere, at most until `deadline`; then the pause.
  void Hold(const std::string& uid, const std::string& key, int64_t version,
            absl::Duration deadline);
  bool Holds(const std::string& uid) const { return held_.contains(uid); }
  // It is gone, or nobody waits for it any more.
  void Forget(const std::string& uid);
  // Those that wait no longer, at this time.
  std::vector<Drained> TakeDrained(absl::Duration now);
  // When TakeDrained has something to do by itself; InfiniteDuration: never. May be earlier after
  // each TakeDrained.
  absl::Duration next() const;

 private:
  struct Held {
    std::string key;
    int64_t version = 0;
    absl::Duration due;       // the deadline, or the end of the pause
    bool everywhere = false;  // since the pause began
  };
  std::string Laggard(int64_t version) const;
  void Drop(int64_t version);
  void SetDue(const std::string& uid, Held* held, absl::Duration due);

  const absl::Duration pause_;
  absl::flat_hash_map<std::string, int64_t> nodes_;
  absl::btree_map<int64_t, int64_t> versions_;  // how many nodes route by each
  std::map<std::string, Held> held_;            // by uid
  // Of those: the ones that are not everywhere yet, by version; all, by when they are due.
  std::set<std::pair<int64_t, std::string>> waiting_;
  std::set<std::pair<absl::Duration, std::string>> due_;
};

}  // namespace cluster::controller
