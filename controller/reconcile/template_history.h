// The templates that a StatefulSet or DaemonSet has had: one ControllerRevision each, for updates
// and undo.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"
#include "controller/reconcile/ownership.h"

namespace cluster::controller {

// On pods: which revision of the template they have; on ControllerRevisions of DaemonSets too. The
// name of the revision for StatefulSets, its hash for DaemonSets, as in Kubernetes.
constexpr absl::string_view kRevisionLabel = "controller-revision-hash";
// On ControllerRevisions: the hash of their template.
constexpr absl::string_view kHashLabel = "controller.kubernetes.io/hash";

struct TemplateHistory {
  std::vector<EntryPtr> kept;     // what is stored, lowest number first
  v1::ControllerRevision update;  // has the owner's template; maybe only made in this pass

  // By name; nullptr when it is not kept.
  const v1::ControllerRevision* Find(absl::string_view name) const;
};

// What of a pass every law needs.
struct PassInputs {
  const View* view = nullptr;
  // Keys that earlier laws write in this pass: what belongs to them waits for the next one.
  const absl::flat_hash_set<std::string>* taken = nullptr;
  absl::Time now;
  Random* random = nullptr;
};

// The template of a StatefulSet or DaemonSet.
const v1::PodTemplateSpec& TemplateOf(const v1::Object& owner);
// "" where there is none.
std::string LabelOf(const v1::ObjectMeta& meta, absl::string_view label);
std::string HashOf(const v1::ControllerRevision& revision);

// Finds or makes the revision of the owner's template and gives it the highest number; adopts
// revisions without owner. nullopt: one of them is taken.
std::optional<TemplateHistory> GatherHistory(const Entry& owner, const Orphans& orphans,
                                             const PassInputs& inputs, Changes* changes);

// Deletes the oldest revisions beyond `limit` but for the current one and those whose names or
// hashes are `live`.
void TrimHistory(const TemplateHistory& history, const std::set<std::string>& live, int limit,
                 Changes* changes);

struct TemplateUndo {
  v1::Object owner;           // with the template of the old revision
  int64_t from_revision = 0;  // whose template it is
};

// A StatefulSet or DaemonSet as it has to be stored to return to a kept revision; 0: the one before
// the current. NotFound: no such revision; FailedPrecondition: its template is the current one.
absl::StatusOr<TemplateUndo> PlanTemplateUndo(const View& view, const Entry& owner,
                                              int64_t to_revision);

}  // namespace cluster::controller
