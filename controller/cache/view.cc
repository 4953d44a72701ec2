#include "controller/cache/view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/cache/service_claims.h"

namespace cluster {
namespace {

// NUL cannot occur in names, uids or labels, so the parts stay apart.
constexpr absl::string_view kGap("\0", 1);

std::string OwnerIndexKey(v1::Object::ObjectCase kind, absl::string_view owner_uid) {
  return absl::StrCat(static_cast<int>(kind), kGap, owner_uid);
}

std::string LabelIndexKey(v1::Object::ObjectCase kind, absl::string_view key,
                          absl::string_view value) {
  return absl::StrCat(static_cast<int>(kind), kGap, key, kGap, value);
}

template <typename Buckets, typename Name>
std::vector<EntryPtr> Values(const Buckets& buckets, const Name& name) {
  const auto bucket = buckets.find(name);
  return bucket == buckets.end() ? std::vector<EntryPtr>() : bucket->second.Entries();
}

template <typename Buckets, typename Name>
void EraseFrom(Buckets* buckets, const Name& name, absl::string_view key) {
  const auto bucket = buckets->find(name);
  if (bucket == buckets->end()) return;
  bucket->second.Erase(key);
  if (bucket->second.empty()) buckets->erase(bucket);
}

// Whoever adopts looks among these for what nobody owns.
bool MayBeAdopted(v1::Object::ObjectCase kind) {
  return kind == v1::Object::kPod || kind == v1::Object::kReplicaSet ||
         kind == v1::Object::kControllerRevision;
}

std::vector<EntryPtr> SortedByKey(std::vector<EntryPtr> entries) {
  std::sort(entries.begin(), entries.end(),
            [](const EntryPtr& a, const EntryPtr& b) { return a->key < b->key; });
  return entries;
}

// The node that the object runs on; empty for all but bound pods.
const std::string& NodeNameOf(const v1::Object& object) { return object.pod().spec().node_name(); }

}  // namespace

const Kind* KindOfKey(absl::string_view key) {
  const absl::string_view plural = key.substr(0, key.find('/'));
  if (plural.size() == key.size()) return nullptr;
  for (const Kind& kind : AllKinds()) {
    if (kind.plural == plural) return &kind;
  }
  return nullptr;
}

std::vector<EntryPtr> EntryIndex::Entries() const {
  std::vector<EntryPtr> entries;
  entries.reserve(entries_.size());
  for (const IndexedEntry& entry : entries_) entries.push_back(entry.kept.Hold());
  return entries;
}

EntryIndex::Range EntryIndex::Under(absl::string_view prefix) const {
  // Keys are ASCII: the end is where the last character is the next one.
  std::string after(prefix);
  if (after.empty()) return {begin(), end()};
  ++after.back();
  return {lower_bound(prefix), lower_bound(after)};
}

void EntryIndex::Put(const EntryPtr& entry) {
  const auto at = entries_.lower_bound(entry);
  if (at == entries_.end() || at->kept.key() != entry->key) {
    entries_.emplace_hint(at, entry);
  } else {
    at->kept = entry;
  }
}

void EntryIndex::Erase(absl::string_view key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) entries_.erase(found);
}

void View::Reset(store::Rev revision, const std::vector<EntryPtr>& entries) {
  const int64_t changes = changes_;
  *this = View();
  changes_ = changes;
  emptied_ = changes;
  for (const EntryPtr& entry : entries) Put(entry);
  revision_ = revision;
}

void View::Put(const EntryPtr& entry) {
  EntryIndex& all = by_kind_[entry->object.object_case()];
  const auto found = all.find(entry->key);
  const EntryPtr before = found == all.end() ? nullptr : found.entry();
  all.Put(entry);
  Reindex(before, entry);
}

void View::Remove(absl::string_view key) {
  const Kind* kind = KindOfKey(key);
  if (kind == nullptr) return;
  const auto bucket = by_kind_.find(kind->object_case);
  if (bucket == by_kind_.end()) return;
  const auto found = bucket->second.find(key);
  if (found == bucket->second.end()) return;
  Reindex(found.entry(), nullptr);
  bucket->second.Erase(key);
}

size_t View::size() const {
  size_t size = 0;
  for (const auto& [kind, all] : by_kind_) size += all.size();
  return size;
}

std::vector<KeptEntry> View::Some(absl::string_view after, size_t count) const {
  const Kind* from = KindOfKey(after);
  std::vector<KeptEntry> some;
  for (const auto& [kind, all] : by_kind_) {
    if (from != nullptr && kind < from->object_case) continue;
    const bool here = from != nullptr && kind == from->object_case;
    for (auto it = here ? all.upper_bound(after) : all.begin(); it != all.end(); ++it) {
      if (some.size() == count) return some;
      some.push_back(it.kept());
    }
  }
  return some;
}

EntryPtr View::Find(absl::string_view key) const {
  const Kind* kind = KindOfKey(key);
  if (kind == nullptr) return nullptr;
  const EntryIndex& all = All(kind->object_case);
  const auto found = all.find(key);
  return found == all.end() ? nullptr : found.entry();
}

EntryPtr View::Find(v1::Object::ObjectCase kind, absl::string_view name_space,
                    absl::string_view name) const {
  const EntryIndex& all = All(kind);
  const auto found = all.find(Key(KindOf(kind), name_space, name));
  return found == all.end() ? nullptr : found.entry();
}

const EntryIndex& View::All(v1::Object::ObjectCase kind) const {
  static const EntryIndex* const none = new EntryIndex;
  const auto bucket = by_kind_.find(kind);
  return bucket == by_kind_.end() ? *none : bucket->second;
}

std::vector<EntryPtr> View::OwnedBy(v1::Object::ObjectCase kind,
                                    absl::string_view owner_uid) const {
  const auto found = by_owner_.find(OwnerIndexKey(kind, owner_uid));
  return found == by_owner_.end() ? std::vector<EntryPtr>() : found->second.bucket.Entries();
}

bool View::OwnsAny(v1::Object::ObjectCase kind, absl::string_view owner_uid) const {
  return by_owner_.contains(OwnerIndexKey(kind, owner_uid));
}

int64_t View::OwnedVersion(v1::Object::ObjectCase kind, absl::string_view owner_uid) const {
  const auto found = by_owner_.find(OwnerIndexKey(kind, owner_uid));
  return found == by_owner_.end() ? emptied_ : found->second.version;
}

std::vector<EntryPtr> View::WithoutController(v1::Object::ObjectCase kind) const {
  return Values(without_controller_, kind);
}

std::vector<EntryPtr> View::Bearing(Trait trait) const { return Values(by_trait_, trait); }

std::vector<EntryPtr> View::Abandoned() const {
  std::vector<EntryPtr> abandoned;
  for (const auto& [index_key, owned] : by_owner_) {
    if (by_uid_.contains(UidKey(owned.owner))) continue;
    for (EntryPtr& entry : owned.bucket.Entries()) abandoned.push_back(std::move(entry));
  }
  return SortedByKey(std::move(abandoned));
}

std::vector<EntryPtr> View::PodsOfMissingNodes() const {
  std::vector<EntryPtr> pods;
  for (const auto& [node, bucket] : by_node_) {
    if (Find(v1::Object::kNode, "", node) != nullptr) continue;
    for (EntryPtr& entry : bucket.Entries()) pods.push_back(std::move(entry));
  }
  return SortedByKey(std::move(pods));
}

std::vector<View::Trait> View::TraitsOf(const v1::Object& object) {
  std::vector<Trait> traits;
  const v1::ObjectMeta& meta = Meta(object);
  if (meta.has_deletion_timestamp()) traits.push_back(Trait::kTerminating);
  if (!object.has_pod()) return traits;
  const v1::PodStatus& status = object.pod().status();
  if (status.phase() == v1::POD_PHASE_SUCCEEDED || status.phase() == v1::POD_PHASE_FAILED) {
    traits.push_back(Trait::kEnded);
  }
  if (!meta.finalizers().empty()) traits.push_back(Trait::kHeld);
  for (const v1::Condition& condition : status.conditions()) {
    if (condition.type() == "Ready" && condition.reason() == kNodeLostReason) {
      traits.push_back(Trait::kNodeLost);
    }
  }
  return traits;
}

std::vector<EntryPtr> View::PodsOnNode(absl::string_view node) const {
  return Values(by_node_, node);
}

EntryPtr View::FindUid(absl::string_view uid) const {
  const auto found = by_uid_.find(UidKey(uid));
  return found == by_uid_.end() ? nullptr : found->kept.Hold();
}

std::vector<EntryPtr> View::WithLabel(v1::Object::ObjectCase kind, absl::string_view key,
                                      absl::string_view value) const {
  return Values(by_label_, LabelIndexKey(kind, key, value));
}

std::vector<EntryPtr> View::Claiming(absl::string_view claim) const {
  return Values(by_claim_, claim);
}

void View::Reindex(const EntryPtr& before, const EntryPtr& after) {
  ReindexUid(before, after);
  ReindexOwner(before, after);
  ReindexTraits(before, after);
  ReindexLabels(before, after);
  if ((after == nullptr ? before : after)->object.has_service()) ReindexClaims(before, after);
  const std::string& from = before == nullptr ? std::string() : NodeNameOf(before->object);
  const std::string& to = after == nullptr ? std::string() : NodeNameOf(after->object);
  if (!from.empty() && from != to) EraseFrom(&by_node_, from, before->key);
  if (!to.empty()) by_node_[to].Put(after);
}

void View::ReindexUid(const EntryPtr& before, const EntryPtr& after) {
  if (before != nullptr && (after == nullptr || after->uid != before->uid)) {
    // Another object may have taken the uid over (an object moved to another name in one batch).
    const auto found = by_uid_.find(before->uid);
    if (found != by_uid_.end() && found->kept.key() == before->key) by_uid_.erase(found);
  }
  if (after == nullptr || after->uid.empty()) return;
  const auto found = by_uid_.find(after->uid);
  if (found != by_uid_.end()) {
    found->kept = after;
  } else {
    by_uid_.emplace(after);
  }
}

void View::ReindexOwner(const EntryPtr& before, const EntryPtr& after) {
  const auto kind = (after == nullptr ? before : after)->object.object_case();
  const auto owner_of = [](const EntryPtr& entry) {
    const auto* owner = entry == nullptr ? nullptr : ControllerOf(Meta(entry->object));
    return owner == nullptr ? std::string() : owner->uid();
  };
  const std::string from = owner_of(before);
  const std::string to = owner_of(after);
  if (!from.empty() && from != to) {
    const auto owned = by_owner_.find(OwnerIndexKey(kind, from));
    if (owned != by_owner_.end()) {
      owned->second.bucket.Erase(before->key);
      owned->second.version = ++changes_;
      if (owned->second.bucket.empty()) {
        emptied_ = changes_;
        by_owner_.erase(owned);
      }
    }
  }
  if (!to.empty()) {
    Owned& owned = by_owner_[OwnerIndexKey(kind, to)];
    owned.owner = to;
    owned.bucket.Put(after);
    owned.version = ++changes_;
  }
  if (!MayBeAdopted(kind)) return;
  const bool stays_alone = after != nullptr && to.empty();
  if (before != nullptr && from.empty() && !stays_alone) {
    without_controller_[kind].Erase(before->key);
  }
  if (stays_alone) without_controller_[kind].Put(after);
}

void View::ReindexTraits(const EntryPtr& before, const EntryPtr& after) {
  const std::vector<Trait> to = after == nullptr ? std::vector<Trait>() : TraitsOf(after->object);
  if (before != nullptr) {
    for (const Trait trait : TraitsOf(before->object)) {
      if (std::count(to.begin(), to.end(), trait) == 0) by_trait_[trait].Erase(before->key);
    }
  }
  for (const Trait trait : to) by_trait_[trait].Put(after);
}

void View::ReindexLabels(const EntryPtr& before, const EntryPtr& after) {
  const auto kind = (after == nullptr ? before : after)->object.object_case();
  if (before != nullptr) {
    for (const auto& [key, value] : Meta(before->object).labels()) {
      if (after != nullptr) {
        const auto& labels = Meta(after->object).labels();
        const auto same = labels.find(key);
        if (same != labels.end() && same->second == value) continue;
      }
      EraseFrom(&by_label_, LabelIndexKey(kind, key, value), before->key);
    }
  }
  if (after == nullptr) return;
  for (const auto& [key, value] : Meta(after->object).labels()) {
    by_label_[LabelIndexKey(kind, key, value)].Put(after);
  }
}

void View::ReindexClaims(const EntryPtr& before, const EntryPtr& after) {
  if (before != nullptr) {
    for (const std::string& claim : ClaimsOf(before->object)) {
      EraseFrom(&by_claim_, claim, before->key);
    }
  }
  if (after == nullptr) return;
  for (const std::string& claim : ClaimsOf(after->object)) by_claim_[claim].Put(after);
}

}  // namespace cluster
