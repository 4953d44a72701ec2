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

template <typename Buckets>
std::vector<EntryPtr> Values(const Buckets& buckets, absl::string_view name) {
  std::vector<EntryPtr> values;
  const auto bucket = buckets.find(name);
  if (bucket == buckets.end()) return values;
  values.reserve(bucket->second.size());
  for (const auto& [key, entry] : bucket->second) values.push_back(entry);
  return values;
}

template <typename Buckets>
void EraseFrom(Buckets* buckets, const std::string& name, const std::string& key) {
  const auto bucket = buckets->find(name);
  if (bucket == buckets->end()) return;
  bucket->second.erase(key);
  if (bucket->second.empty()) buckets->erase(bucket);
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
  *this = View();
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
  const Bucket& bucket = All(kind->object_case);
  const auto found = bucket.find(key);
  return found == bucket.end() ? nullptr : found->second;
}

EntryPtr View::Find(v1::Object::ObjectCase kind, absl::string_view name_space,
                    absl::string_view name) const {
  const Bucket& bucket = All(kind);
  const auto found = bucket.find(Key(KindOf(kind), name_space, name));
  return found == bucket.end() ? nullptr : found->second;
}

const absl::btree_map<std::string, EntryPtr>& View::All(v1::Object::ObjectCase kind) const {
  static const Bucket* const none = new Bucket;
  const auto bucket = by_kind_.find(kind);
  return bucket == by_kind_.end() ? *none : bucket->second;
}

std::vector<EntryPtr> View::OwnedBy(v1::Object::ObjectCase kind,
                                    absl::string_view owner_uid) const {
  return Values(by_owner_, OwnerIndexKey(kind, owner_uid));
}

std::vector<EntryPtr> View::PodsOnNode(absl::string_view node) const {
  return Values(by_node_, node);
}

EntryPtr View::FindUid(absl::string_view uid) const {
  const auto found = by_uid_.find(uid);
  return found == by_uid_.end() ? nullptr : found->second;
}

std::vector<EntryPtr> View::WithLabel(v1::Object::ObjectCase kind, absl::string_view key,
                                      absl::string_view value) const {
  return Values(by_label_, LabelIndexKey(kind, key, value));
}

void View::Index(const EntryPtr& entry) {
  const v1::ObjectMeta& meta = Meta(entry->object);
  const auto kind = entry->object.object_case();
  if (!meta.uid().empty()) by_uid_[meta.uid()] = entry;
  if (const auto* owner = ControllerOf(meta)) {
    by_owner_[OwnerIndexKey(kind, owner->uid())][entry->key] = entry;
  }
  for (const auto& [key, value] : meta.labels()) {
    by_label_[LabelIndexKey(kind, key, value)][entry->key] = entry;
  }
  const std::string& node = NodeNameOf(entry->object);
  if (!node.empty()) by_node_[node][entry->key] = entry;
}

void View::Unindex(const Entry& entry) {
  const v1::ObjectMeta& meta = Meta(entry.object);
  const auto kind = entry.object.object_case();
  // Another object may have taken the uid over (an object moved to another name in one batch).
  const auto uid = by_uid_.find(meta.uid());
  if (uid != by_uid_.end() && uid->second->key == entry.key) by_uid_.erase(uid);
  if (const auto* owner = ControllerOf(meta)) {
    EraseFrom(&by_owner_, OwnerIndexKey(kind, owner->uid()), entry.key);
  }
  for (const auto& [key, value] : meta.labels()) {
    EraseFrom(&by_label_, LabelIndexKey(kind, key, value), entry.key);
  }
  const std::string& node = NodeNameOf(entry.object);
  if (!node.empty()) EraseFrom(&by_node_, node, entry.key);
}

}  // namespace cluster
