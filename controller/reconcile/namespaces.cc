#include "controller/reconcile/namespaces.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/reconcile/garbage.h"

namespace cluster::controller {
namespace {

// Always there, also while a new cluster has not stored it yet.
constexpr absl::string_view kDefault = "default";
constexpr absl::string_view kTerminating = "Terminating";
constexpr absl::string_view kActive = "Active";

// Number of objects left; asks each of them to go.
int Empty(const View& view, const std::string& name_space, absl::Time now, Changes* changes) {
  int left = 0;
  for (const Kind& kind : AllKinds()) {
    if (!kind.namespaced) continue;
    const std::string prefix = absl::StrCat(kind.plural, "/", name_space, "/");
    for (const auto& [key, entry] : view.All(kind.object_case).Under(prefix)) {
      ++left;
      DeleteObject(*entry, now, changes);
    }
  }
  return left;
}

void SetPhase(const Entry& entry, absl::string_view phase, Changes* changes) {
  if (entry.object.namespace_().status().phase() == phase) return;
  v1::Object after = entry.object;
  after.mutable_namespace_()->mutable_status()->set_phase(std::string(phase));
  changes->Put(entry, std::move(after));
}

void DeleteStrays(const View& view, absl::Time now, Changes* changes) {
  for (const Kind& kind : AllKinds()) {
    if (!kind.namespaced) continue;
    const auto& all = view.All(kind.object_case);
    for (auto it = all.begin(); it != all.end();) {
      const EntryPtr entry = it.entry();
      const std::string& name_space = Meta(entry->object).namespace_();
      if (name_space == kDefault || view.Find(v1::Object::kNamespace, "", name_space) != nullptr) {
        // Keys come by namespace: on to the next one ('0' follows '/').
        it = all.lower_bound(absl::StrCat(kind.plural, "/", name_space, "0"));
        continue;
      }
      DeleteObject(*entry, now, changes);
      ++it;
    }
  }
}

}  // namespace

Changes ReconcileNamespaces(const View& view, absl::Time now) {
  Changes changes;
  for (const auto& [key, entry] : view.All(v1::Object::kNamespace)) {
    const v1::ObjectMeta& meta = Meta(entry->object);
    if (!meta.has_deletion_timestamp()) {
      SetPhase(*entry, kActive, &changes);
    } else if (Empty(view, meta.name(), now, &changes) > 0) {
      SetPhase(*entry, kTerminating, &changes);
    } else {
      changes.Delete(*entry);
    }
  }
  DeleteStrays(view, now, &changes);
  return changes;
}

}  // namespace cluster::controller
