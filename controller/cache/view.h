// All objects of the cluster at one revision, indexed. What the pure rooms (scheduler, reconcile)
// look at and what reads are answered from.
//
// Not thread-safe: each owner feeds its own copy with batches from a store watch; objects
// themselves are immutable and shared between copies. The indexes keep them (entry.h), whoever asks
// for one holds it.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/object.pb.h"
#include "controller/cache/entry.h"
#include "controller/store/store.h"
#include "proto/schema/kinds.h"

namespace cluster {

// Of the condition Ready of a pod whose node is lost.
inline constexpr absl::string_view kNodeLostReason = "NodeLost";

// The kind that a store key belongs to ("pods/default/web" -> Pod), or nullptr for the store's
// other inhabitants ("images/...", "sessions/...").
const Kind* KindOfKey(absl::string_view key);
// An entry in an index. Another one of the same key or uid may take its place where it stands.
struct IndexedEntry {
  explicit IndexedEntry(const EntryPtr& entry) : kept(entry) {}
  mutable KeptEntry kept;
};

// Entries by key, in order. An iterator holds what it stands for only while it is looked at.
class EntryIndex {
 private:
  // The entries' own keys are the keys: an index is nothing but pointers.
  struct ByKey {
    using is_transparent = void;
    static absl::string_view KeyOf(const IndexedEntry& entry) { return entry.kept.key(); }
    static absl::string_view KeyOf(const EntryPtr& entry) { return entry->key; }
    static absl::string_view KeyOf(absl::string_view key) { return key; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) < KeyOf(b);
    }
  };
  using Set = absl::btree_set<IndexedEntry, ByKey>;

 public:
  using Item = std::pair<const std::string&, EntryPtr>;
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using reference = Item;
    using pointer = void;

    Iterator() = default;
    explicit Iterator(Set::const_iterator at) : at_(at) {}
    Item operator*() const { return {at_->kept.key(), at_->kept.Hold()}; }
    const std::string& key() const { return at_->kept.key(); }
    EntryPtr entry() const { return at_->kept.Hold(); }
    // Without holding it.
    const KeptEntry& kept() const { return at_->kept; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    Set::const_iterator at_;
  };

  Iterator begin() const { return Iterator(entries_.begin()); }
  Iterator end() const { return Iterator(entries_.end()); }
  Iterator find(absl::string_view key) const { return Iterator(entries_.find(key)); }
  Iterator lower_bound(absl::string_view key) const { return Iterator(entries_.lower_bound(key)); }
  Iterator upper_bound(absl::string_view key) const { return Iterator(entries_.upper_bound(key)); }
  struct Range {
    Iterator from;
    Iterator to;
    Iterator begin() const { return from; }
    Iterator end() const { return to; }
  };
  // Those whose keys begin with this.
  Range Under(absl::string_view prefix) const;
  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::vector<EntryPtr> Entries() const;

  // Replaces the one of the same key.
  void Put(const EntryPtr& entry);
  void Erase(absl::string_view key);

 private:
  Set entries_;
};

class View {
 public:
  // Revision up to and including which everything is in here.
  store::Rev revision() const { return revision_; }

  // Replaces everything by a listing.
  void Reset(store::Rev revision, const std::vector<EntryPtr>& entries);
  // Puts or removes one object; the caller sets the revision after the whole batch.
  void Put(const EntryPtr& entry);
  void Remove(absl::string_view key);
  void set_revision(store::Rev revision) { revision_ = revision; }

  size_t size() const;
  // The first objects after `after` ("" for the first of all), ordered by kind and key.
  std::vector<KeptEntry> Some(absl::string_view after, size_t count) const;

  // nullptr when absent.
  EntryPtr Find(absl::string_view key) const;
  EntryPtr Find(v1::Object::ObjectCase kind, absl::string_view name_space,
                absl::string_view name) const;

  // Ordered by key (namespace, then name).
  const EntryIndex& All(v1::Object::ObjectCase kind) const;
  // Objects of `kind` whose controlling owner has this uid, ordered by key.
  std::vector<EntryPtr> OwnedBy(v1::Object::ObjectCase kind, absl::string_view owner_uid) const;
  bool OwnsAny(v1::Object::ObjectCase kind, absl::string_view owner_uid) const;
  // Pods with spec.nodeName == node, ordered by key.
  std::vector<EntryPtr> PodsOnNode(absl::string_view node) const;
  // Any object by uid, or nullptr.
  EntryPtr FindUid(absl::string_view uid) const;
  // Objects of `kind` that carry the label key=value, ordered by key.
  std::vector<EntryPtr> WithLabel(v1::Object::ObjectCase kind, absl::string_view key,
                                  absl::string_view value) const;
  // Services that have this address or port of the nodes (service_claims.h), ordered by key: one
  // at most, as long as all of them are made by the API.
  std::vector<EntryPtr> Claiming(absl::string_view claim) const;

  // What a pass over a cluster at rest would otherwise look through every object for. Each is
  // ordered by key and costs what it holds.
  //
  // Pods, and kinds that own pods or are kept by such, that no controller owns.
  std::vector<EntryPtr> WithoutController(v1::Object::ObjectCase kind) const;
  // Of every kind: what is being deleted.
  std::vector<EntryPtr> Terminating() const { return Bearing(Trait::kTerminating); }
  // Pods that have succeeded or failed.
  std::vector<EntryPtr> EndedPods() const { return Bearing(Trait::kEnded); }
  // Pods that a finalizer holds.
  std::vector<EntryPtr> HeldPods() const { return Bearing(Trait::kHeld); }
  // Pods whose condition Ready has kNodeLostReason.
  std::vector<EntryPtr> PodsOfLostNodes() const { return Bearing(Trait::kNodeLost); }
  // Of every kind: what a controller owns that does not exist.
  std::vector<EntryPtr> Abandoned() const;
  // Pods that are bound to a node that does not exist.
  std::vector<EntryPtr> PodsOfMissingNodes() const;
  // A higher number than any before each time an object of `kind` that this controller owns came,
  // changed or went. Numbers of one view say nothing about another.
  int64_t OwnedVersion(v1::Object::ObjectCase kind, absl::string_view owner_uid) const;

 private:
  struct ByUid {
    using is_transparent = void;
    static const UidKey& UidOf(const IndexedEntry& entry) { return entry.kept.uid(); }
    static const UidKey& UidOf(const EntryPtr& entry) { return entry->uid; }
    static const UidKey& UidOf(const UidKey& uid) { return uid; }
    template <typename A>
    size_t operator()(const A& a) const {
      return absl::HashOf(UidOf(a));
    }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return UidOf(a) == UidOf(b);
    }
  };
  using Buckets = absl::flat_hash_map<std::string, EntryIndex>;
  enum class Trait { kTerminating, kEnded, kHeld, kNodeLost };
  struct Owned {
    std::string owner;  // uid
    EntryIndex bucket;
    int64_t version = 0;
  };

  static std::vector<Trait> TraitsOf(const v1::Object& object);
  std::vector<EntryPtr> Bearing(Trait trait) const;
  // `after` in the place of `before`, in every index but by_kind_: nullptr before is a new one,
  // nullptr after takes it out. What both have in common is looked up once.
  void Reindex(const EntryPtr& before, const EntryPtr& after);
  void ReindexUid(const EntryPtr& before, const EntryPtr& after);
  void ReindexOwner(const EntryPtr& before, const EntryPtr& after);
  void ReindexTraits(const EntryPtr& before, const EntryPtr& after);
  void ReindexLabels(const EntryPtr& before, const EntryPtr& after);
  void ReindexClaims(const EntryPtr& before, const EntryPtr& after);

  store::Rev revision_ = 0;
  std::map<v1::Object::ObjectCase, EntryIndex> by_kind_;
  absl::flat_hash_set<IndexedEntry, ByUid, ByUid> by_uid_;
  absl::flat_hash_map<std::string, Owned> by_owner_;  // kind and owner uid
  int64_t changes_ = 0;                               // of what has an owner, ever
  int64_t emptied_ = 0;                               // changes_ when an owner last lost its last
  std::map<Trait, EntryIndex> by_trait_;
  std::map<v1::Object::ObjectCase, EntryIndex> without_controller_;
  Buckets by_node_;   // node name
  Buckets by_label_;  // kind, label key and label value
  Buckets by_claim_;  // of services
};

}  // namespace cluster
