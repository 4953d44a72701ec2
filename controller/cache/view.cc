#include "controller/cache/view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

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

template <typename Buckets>
void EraseFrom(Buckets* buckets, const std::string& name, absl::string_view key) {
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
  for (const KeptEntry& entry : entries_) entries.push_back(entry.Hold());
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
  if (at == entries_.end() || at->key() != entry->key) {
    entries_.insert(at, KeptEntry(entry));
    return;
  }
  // An equal key: the order stays.
  entries_.insert(entries_.erase(at), KeptEntry(entry));
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
  const auto before = all.find(entry->key);
  if (before != all.end()) Unindex(*before.entry());
  all.Put(entry);
  Index(entry);
}

void View::Remove(absl::string_view key) {
  const Kind* kind = KindOfKey(key);
  if (kind == nullptr) return;
  const auto bucket = by_kind_.find(kind->object_case);
  if (bucket == by_kind_.end()) return;
  const auto found = bucket->second.find(key);
  if (found == bucket->second.end()) return;
  Unindex(*found.entry());
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
    if (by_uid_.contains(absl::string_view(owned.owner))) continue;
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
  const auto found = by_uid_.find(uid);
  return found == by_uid_.end() ? nullptr : found->Hold();
}

std::vector<EntryPtr> View::WithLabel(v1::Object::ObjectCase kind, absl::string_view key,
                                      absl::string_view value) const {
  return Values(by_label_, LabelIndexKey(kind, key, value));
}

void View::Index(const EntryPtr& entry) {
  const v1::ObjectMeta& meta = Meta(entry->object);
  const auto kind = entry->object.object_case();
  if (!meta.uid().empty()) {
    // The entry that is in there holds its own key.
    by_uid_.erase(entry->uid);
    by_uid_.insert(entry);
  }
  if (const auto* owner = ControllerOf(meta)) {
    Owned& owned = by_owner_[OwnerIndexKey(kind, owner->uid())];
    owned.owner = owner->uid();
    owned.bucket.Put(entry);
    owned.version = ++changes_;
  } else if (MayBeAdopted(kind)) {
    without_controller_[kind].Put(entry);
  }
  for (const Trait trait : TraitsOf(entry->object)) by_trait_[trait].Put(entry);
  for (const auto& [key, value] : meta.labels()) {
    by_label_[LabelIndexKey(kind, key, value)].Put(entry);
  }
  const std::string& node = NodeNameOf(entry->object);
  if (!node.empty()) by_node_[node].Put(entry);
}

void View::Unindex(const Entry& entry) {
  const v1::ObjectMeta& meta = Meta(entry.object);
  const auto kind = entry.object.object_case();
  // Another object may have taken the uid over (an object moved to another name in one batch).
  const auto uid = by_uid_.find(absl::string_view(entry.uid));
  if (uid != by_uid_.end() && uid->key() == entry.key) by_uid_.erase(uid);
  if (const auto* owner = ControllerOf(meta)) {
    const auto owned = by_owner_.find(OwnerIndexKey(kind, owner->uid()));
    if (owned != by_owner_.end()) {
      owned->second.bucket.Erase(entry.key);
      owned->second.version = ++changes_;
      if (owned->second.bucket.empty()) {
        emptied_ = changes_;
        by_owner_.erase(owned);
      }
    }
  } else if (MayBeAdopted(kind)) {
    without_controller_[kind].Erase(entry.key);
  }
  for (const Trait trait : TraitsOf(entry.object)) by_trait_[trait].Erase(entry.key);
  for (const auto& [key, value] : meta.labels()) {
    EraseFrom(&by_label_, LabelIndexKey(kind, key, value), entry.key);
  }
  const std::string& node = NodeNameOf(entry.object);
  if (!node.empty()) EraseFrom(&by_node_, node, entry.key);
}

}  // namespace cluster
