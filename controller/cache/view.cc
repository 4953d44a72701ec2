#include "controller/cache/view.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

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

template <typename Bucket>
std::vector<EntryPtr> ValuesOf(const Bucket& bucket) {
  return std::vector<EntryPtr>(bucket.begin(), bucket.end());
}

template <typename Buckets, typename Name>
std::vector<EntryPtr> Values(const Buckets& buckets, const Name& name) {
  const auto bucket = buckets.find(name);
  return bucket == buckets.end() ? std::vector<EntryPtr>() : ValuesOf(bucket->second);
}

template <typename Bucket>
void EraseKey(Bucket* bucket, absl::string_view key) {
  const auto found = bucket->find(key);
  if (found != bucket->end()) bucket->erase(found);
}

template <typename Buckets>
void EraseFrom(Buckets* buckets, const std::string& name, absl::string_view key) {
  const auto bucket = buckets->find(name);
  if (bucket == buckets->end()) return;
  EraseKey(&bucket->second, key);
  if (bucket->second.empty()) buckets->erase(bucket);
}

// Whoever adopts looks among these for what nobody owns.
bool MayBeAdopted(v1::Object::ObjectCase kind) {
  return kind == v1::Object::kPod || kind == v1::Object::kReplicaSet ||
         kind == v1::Object::kControllerRevision;
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

absl::StatusOr<EntryPtr> ParseEntry(const store::Kv& kv) {
  auto entry = std::make_shared<Entry>();
  if (!entry->object.ParseFromString(kv.value) ||
      entry->object.object_case() == v1::Object::OBJECT_NOT_SET) {
    return absl::DataLossError(absl::StrCat("store: the value of ", kv.key, " at revision ",
                                            kv.mod_rev,
                                            " is not an object; restore the store from a copy"));
  }
  const std::string own_key = Key(entry->object);
  if (own_key != kv.key) {
    return absl::DataLossError(absl::StrCat("store: ", kv.key, " at revision ", kv.mod_rev,
                                            " holds the object ", own_key,
                                            "; restore the store from a copy"));
  }
  entry->key = kv.key;
  entry->mod_rev = kv.mod_rev;
  entry->create_rev = kv.create_rev;
  MutableMeta(&entry->object)->set_resource_version(absl::StrCat(kv.mod_rev));
  return entry;
}

std::string SerializeObject(const v1::Object& object) {
  v1::Object stored = object;
  MutableMeta(&stored)->clear_resource_version();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    stored.SerializeToCodedStream(&coded);
  }
  return bytes;
}

void View::Reset(store::Rev revision, const std::vector<EntryPtr>& entries) {
  const int64_t changes = changes_;
  *this = View();
  changes_ = changes;
  emptied_ = changes;
  for (const EntryPtr& entry : entries) Put(entry);
  revision_ = revision;
}

void View::Put(EntryPtr entry) {
  EntryPtr& slot = by_kind_[entry->object.object_case()][entry->key];
  if (slot != nullptr) Unindex(*slot);
  slot = std::move(entry);
  Index(slot);
}

void View::Remove(absl::string_view key) {
  const Kind* kind = KindOfKey(key);
  if (kind == nullptr) return;
  const auto bucket = by_kind_.find(kind->object_case);
  if (bucket == by_kind_.end()) return;
  const auto found = bucket->second.find(key);
  if (found == bucket->second.end()) return;
  Unindex(*found->second);
  bucket->second.erase(found);
}

EntryPtr View::Find(absl::string_view key) const {
  const Kind* kind = KindOfKey(key);
  if (kind == nullptr) return nullptr;
  const Objects& bucket = All(kind->object_case);
  const auto found = bucket.find(key);
  return found == bucket.end() ? nullptr : found->second;
}

EntryPtr View::Find(v1::Object::ObjectCase kind, absl::string_view name_space,
                    absl::string_view name) const {
  const Objects& bucket = All(kind);
  const auto found = bucket.find(Key(KindOf(kind), name_space, name));
  return found == bucket.end() ? nullptr : found->second;
}

const absl::btree_map<std::string, EntryPtr>& View::All(v1::Object::ObjectCase kind) const {
  static const Objects* const none = new Objects;
  const auto bucket = by_kind_.find(kind);
  return bucket == by_kind_.end() ? *none : bucket->second;
}

std::vector<EntryPtr> View::OwnedBy(v1::Object::ObjectCase kind,
                                    absl::string_view owner_uid) const {
  const auto found = by_owner_.find(OwnerIndexKey(kind, owner_uid));
  return found == by_owner_.end() ? std::vector<EntryPtr>() : ValuesOf(found->second.bucket);
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
  Bucket abandoned;
  for (const auto& [index_key, owned] : by_owner_) {
    if (by_uid_.contains(absl::string_view(owned.owner))) continue;
    abandoned.insert(owned.bucket.begin(), owned.bucket.end());
  }
  return ValuesOf(abandoned);
}

std::vector<EntryPtr> View::PodsOfMissingNodes() const {
  Bucket pods;
  for (const auto& [node, bucket] : by_node_) {
    if (Find(v1::Object::kNode, "", node) != nullptr) continue;
    pods.insert(bucket.begin(), bucket.end());
  }
  return ValuesOf(pods);
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
  return found == by_uid_.end() ? nullptr : *found;
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
    by_uid_.erase(entry);
    by_uid_.insert(entry);
  }
  if (const auto* owner = ControllerOf(meta)) {
    Owned& owned = by_owner_[OwnerIndexKey(kind, owner->uid())];
    owned.owner = owner->uid();
    owned.bucket.insert(entry);
    owned.version = ++changes_;
  } else if (MayBeAdopted(kind)) {
    without_controller_[kind].insert(entry);
  }
  for (const Trait trait : TraitsOf(entry->object)) by_trait_[trait].insert(entry);
  for (const auto& [key, value] : meta.labels()) {
    by_label_[LabelIndexKey(kind, key, value)].insert(entry);
  }
  const std::string& node = NodeNameOf(entry->object);
  if (!node.empty()) by_node_[node].insert(entry);
}

void View::Unindex(const Entry& entry) {
  const v1::ObjectMeta& meta = Meta(entry.object);
  const auto kind = entry.object.object_case();
  // Another object may have taken the uid over (an object moved to another name in one batch).
  const auto uid = by_uid_.find(absl::string_view(meta.uid()));
  if (uid != by_uid_.end() && (*uid)->key == entry.key) by_uid_.erase(uid);
  if (const auto* owner = ControllerOf(meta)) {
    const auto owned = by_owner_.find(OwnerIndexKey(kind, owner->uid()));
    if (owned != by_owner_.end()) {
      EraseKey(&owned->second.bucket, entry.key);
      owned->second.version = ++changes_;
      if (owned->second.bucket.empty()) {
        emptied_ = changes_;
        by_owner_.erase(owned);
      }
    }
  } else if (MayBeAdopted(kind)) {
    EraseKey(&without_controller_[kind], entry.key);
  }
  for (const Trait trait : TraitsOf(entry.object)) EraseKey(&by_trait_[trait], entry.key);
  for (const auto& [key, value] : meta.labels()) {
    EraseFrom(&by_label_, LabelIndexKey(kind, key, value), entry.key);
  }
  const std::string& node = NodeNameOf(entry.object);
  if (!node.empty()) EraseFrom(&by_node_, node, entry.key);
}

}  // namespace cluster
