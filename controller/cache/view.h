// All objects of the cluster at one revision, indexed. What the pure rooms (scheduler, reconcile)
// look at and what reads are answered from.
//
// Not thread-safe: each owner feeds its own copy with batches from a store watch; objects
// themselves are immutable and shared between copies. metadata.resourceVersion is filled in from
// the store's mod_rev.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/object.pb.h"
#include "controller/store/store.h"
#include "proto/schema/kinds.h"

namespace cluster {

// One object as it was stored.
struct Entry {
  std::string key;
  v1::Object object;
  store::Rev mod_rev = 0;
  store::Rev create_rev = 0;
};
using EntryPtr = std::shared_ptr<const Entry>;

// Parses a stored value. DataLoss when it is not an object.
absl::StatusOr<EntryPtr> ParseEntry(const store::Kv& kv);
// The kind that a store key belongs to ("pods/default/web" -> Pod), or nullptr for the store's
// other inhabitants ("images/...", "sessions/...").
const Kind* KindOfKey(absl::string_view key);
// Serialized form for the store: without resourceVersion, deterministic.
std::string SerializeObject(const v1::Object& object);

class View {
 public:
  // Revision up to and including which everything is in here.
  store::Rev revision() const { return revision_; }

  // Replaces everything by a listing.
  void Reset(store::Rev revision, const std::vector<EntryPtr>& entries);
  // Puts or removes one object; the caller sets the revision after the whole batch.
  void Put(EntryPtr entry);
  void Remove(absl::string_view key);
  void set_revision(store::Rev revision) { revision_ = revision; }

  // nullptr when absent.
  EntryPtr Find(absl::string_view key) const;
  EntryPtr Find(v1::Object::ObjectCase kind, absl::string_view name_space,
                absl::string_view name) const;

  // Ordered by key (namespace, then name).
  const absl::btree_map<std::string, EntryPtr>& All(v1::Object::ObjectCase kind) const;
  // Objects of `kind` whose controlling owner has this uid, ordered by key.
  std::vector<EntryPtr> OwnedBy(v1::Object::ObjectCase kind, absl::string_view owner_uid) const;
  // Pods with spec.nodeName == node, ordered by key.
  std::vector<EntryPtr> PodsOnNode(absl::string_view node) const;
  // Any object by uid, or nullptr.
  EntryPtr FindUid(absl::string_view uid) const;
  // Objects of `kind` that carry the label key=value, ordered by key.
  std::vector<EntryPtr> WithLabel(v1::Object::ObjectCase kind, absl::string_view key,
                                  absl::string_view value) const;

 private:
  using Bucket = absl::btree_map<std::string, EntryPtr>;  // key -> entry
  using Buckets = absl::flat_hash_map<std::string, Bucket>;

  void Index(const EntryPtr& entry);
  void Unindex(const Entry& entry);

  store::Rev revision_ = 0;
  std::map<v1::Object::ObjectCase, Bucket> by_kind_;
  absl::flat_hash_map<std::string, EntryPtr> by_uid_;
  Buckets by_owner_;  // kind and owner uid
  Buckets by_node_;   // node name
  Buckets by_label_;  // kind, label key and label value
};

}  // namespace cluster
