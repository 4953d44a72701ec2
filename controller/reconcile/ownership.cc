#include "controller/reconcile/ownership.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::controller {
namespace {

const v1::LabelSelector& SelectorOf(const v1::Object& owner) {
  if (owner.has_job()) return owner.job().spec().selector();
  if (owner.has_deployment()) return owner.deployment().spec().selector();
  if (owner.has_stateful_set()) return owner.stateful_set().spec().selector();
  if (owner.has_daemon_set()) return owner.daemon_set().spec().selector();
  return owner.replica_set().spec().selector();
}

using Labels = google::protobuf::Map<std::string, std::string>;

// Typed, not through a parsed selector: asked for every pod of every set in every pass.
bool Holds(const v1::LabelSelectorRequirement& requirement, const Labels& labels) {
  const auto label = labels.find(requirement.key());
  const bool present = label != labels.end();
  const bool listed = present && std::find(requirement.values().begin(), requirement.values().end(),
                                           label->second) != requirement.values().end();
  switch (requirement.operator_()) {
    case v1::SELECTOR_OPERATOR_IN:
      return listed;
    case v1::SELECTOR_OPERATOR_NOT_IN:
      return !listed;
    case v1::SELECTOR_OPERATOR_EXISTS:
      return present;
    case v1::SELECTOR_OPERATOR_DOES_NOT_EXIST:
      return !present;
    case v1::SELECTOR_OPERATOR_UNSPECIFIED:
    case v1::SelectorOperator_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::SelectorOperator_INT_MAX_SENTINEL_DO_NOT_USE_:
      return false;
  }
  return false;
}

bool MatchesLabels(const v1::LabelSelector& selector, const v1::ObjectMeta& meta) {
  if (selector.match_labels().empty() && selector.match_expressions().empty()) return false;
  for (const auto& [key, value] : selector.match_labels()) {
    const auto label = meta.labels().find(key);
    if (label == meta.labels().end() || label->second != value) return false;
  }
  return std::all_of(
      selector.match_expressions().begin(), selector.match_expressions().end(),
      [&meta](const auto& requirement) { return Holds(requirement, meta.labels()); });
}

// NUL cannot occur in any of them.
std::string NamespacedLabel(absl::string_view name_space, absl::string_view key,
                            absl::string_view value) {
  constexpr absl::string_view kGap("\0", 1);
  return absl::StrCat(name_space, kGap, key, kGap, value);
}

}  // namespace

void AddOwner(const v1::Object& owner, v1::ObjectMeta* meta) {
  v1::OwnerReference* reference = meta->add_owner_references();
  reference->set_api_version(KindOf(owner).api_version);
  reference->set_kind(KindOf(owner).name);
  reference->set_name(Meta(owner).name());
  reference->set_uid(Meta(owner).uid());
  reference->set_controller(true);
  reference->set_block_owner_deletion(true);
}

v1::Object WithoutOwner(v1::Object object, absl::string_view owner_uid) {
  auto* owners = MutableMeta(&object)->mutable_owner_references();
  for (int i = owners->size() - 1; i >= 0; --i) {
    if (owners->Get(i).uid() == owner_uid) owners->DeleteSubrange(i, 1);
  }
  return object;
}

bool Selects(const v1::Object& owner, const Entry& entry) {
  const v1::ObjectMeta& meta = Meta(entry.object);
  return meta.namespace_() == Meta(owner).namespace_() && MatchesLabels(SelectorOf(owner), meta);
}

Orphans::Orphans(const View& view, v1::Object::ObjectCase kind) {
  for (EntryPtr& entry : view.WithoutController(kind)) {
    const v1::ObjectMeta& meta = Meta(entry->object);
    if (meta.has_deletion_timestamp()) continue;
    for (const auto& [key, value] : meta.labels()) {
      by_label_[NamespacedLabel(meta.namespace_(), key, value)].push_back(entry);
    }
    by_namespace_[meta.namespace_()].push_back(std::move(entry));
  }
}

std::vector<EntryPtr> Orphans::Matching(const v1::Object& owner) const {
  std::vector<EntryPtr> matching;
  if (by_namespace_.empty()) return matching;
  const std::string& name_space = Meta(owner).namespace_();
  const auto& labels = SelectorOf(owner).match_labels();
  const auto& index = labels.empty() ? by_namespace_ : by_label_;
  const auto candidates =
      labels.empty()
          ? index.find(name_space)
          : index.find(NamespacedLabel(name_space, labels.begin()->first, labels.begin()->second));
  if (candidates == index.end()) return matching;
  for (const EntryPtr& entry : candidates->second) {
    if (Selects(owner, *entry)) matching.push_back(entry);
  }
  return matching;
}

bool HoldsAny(const std::vector<EntryPtr>& entries, const absl::flat_hash_set<std::string>& keys) {
  // Mostly there are few keys and many entries.
  if (keys.size() > entries.size()) {
    return std::any_of(entries.begin(), entries.end(),
                       [&keys](const EntryPtr& each) { return keys.contains(each->key); });
  }
  return std::any_of(keys.begin(), keys.end(), [&entries](const std::string& key) {
    const auto at = std::partition_point(entries.begin(), entries.end(),
                                         [&key](const EntryPtr& each) { return each->key < key; });
    return at != entries.end() && (*at)->key == key;
  });
}

bool IsOpen(const View& view, absl::string_view name_space) {
  const EntryPtr entry = view.Find(v1::Object::kNamespace, "", name_space);
  return entry == nullptr || !Meta(entry->object).has_deletion_timestamp();
}

}  // namespace cluster::controller
