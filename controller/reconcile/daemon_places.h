// What a DaemonSet has on each node. Used by its law alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/reconcile/daemon_nodes.h"

namespace cluster::controller {

// The pods of one set for one node.
struct DaemonPlace {
  DaemonVerdict verdict;
  std::vector<EntryPtr> ending;  // being deleted
  std::vector<EntryPtr> ended;   // Succeeded or Failed
  std::vector<EntryPtr> old;     // active, of another revision than the update; oldest first
  std::vector<EntryPtr> fresh;   // active, of the update revision; oldest first

  bool empty() const { return ending.empty() && ended.empty() && old.empty() && fresh.empty(); }
};

// By node name. Nodes that have no pod and should have none are left out; pods for a node that does
// not exist stand under its name, where nothing may stay.
using DaemonPlaces = std::map<std::string, DaemonPlace>;

DaemonPlaces PlacesOf(const v1::DaemonSet& set, const std::vector<EntryPtr>& pods,
                      const std::string& update_hash, const View& view);

}  // namespace cluster::controller
