// Who owns what: owner references, adoption by selector, namespaces that take new objects.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

#include "controller/cache/view.h"

namespace cluster::controller {

// Makes `owner` the controlling owner.
void AddOwner(const v1::Object& owner, v1::ObjectMeta* meta);

// The object without its reference to this owner.
v1::Object WithoutOwner(v1::Object object, absl::string_view owner_uid);

// True when the selector of a workload (Deployment, ReplicaSet, StatefulSet, DaemonSet, Job)
// matches the object's labels and both are in one namespace. An empty selector matches nothing: it
// would take everything.
bool Selects(const v1::Object& owner, const Entry& entry);

// Objects of one kind that no controller owns, by namespace; built once per pass.
class Orphans {
 public:
  Orphans(const View& view, v1::Object::ObjectCase kind);
  // Those that `owner` selects and that are not being deleted, ordered by key.
  std::vector<EntryPtr> Matching(const v1::Object& owner) const;

 private:
  absl::flat_hash_map<std::string, std::vector<EntryPtr>> by_namespace_;
  // The same by namespace, label and its value.
  absl::flat_hash_map<std::string, std::vector<EntryPtr>> by_label_;
};

// Whether one of them, which come ordered by key, is among the keys.
bool HoldsAny(const std::vector<EntryPtr>& entries, const absl::flat_hash_set<std::string>& keys);

// False while the namespace is being deleted: nothing new is made in it.
bool IsOpen(const View& view, absl::string_view name_space);

}  // namespace cluster::controller
