// Pods of StatefulSets and DaemonSets: how they are made, claimed, and when they count as
// available.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/ownership.h"
#include "controller/reconcile/template_history.h"

namespace cluster::controller {

// A pod that has failed is not made anew before it is this old: one that its node refuses at once
// would be made in a hot loop.
constexpr absl::Duration kFailedPodPause = absl::Seconds(5);

// A pod of the template, not bound and pending, that `owner` controls.
v1::Pod PodFromTemplate(const v1::Object& owner, const v1::PodTemplateSpec& pod_template,
                        std::string name, const PassInputs& inputs);

// Every pod of `owner`, whatever state it is in: its own that it still selects and `accepts`, and
// matching ones without owner, which it adopts; the others of its own are released. nullopt: one of
// them is taken or only being adopted, wait for the next pass.
std::optional<std::vector<EntryPtr>> ClaimPods(const Entry& owner, const Orphans& orphans,
                                               const std::function<bool(const v1::Pod&)>& accepts,
                                               const PassInputs& inputs, Changes* changes);

// What nobody owns of what sets own.
struct SetOrphans {
  Orphans pods;
  Orphans revisions;
};

// `look` at every set of a kind, one after the other; one that is going, is taken, or is in a
// namespace that goes is left out. `taken`: keys that earlier laws write in this pass.
Changes ReconcileSets(
    const View& view, v1::Object::ObjectCase kind, absl::flat_hash_set<std::string> taken,
    absl::Time now, Random* random,
    const std::function<Changes(const Entry&, const PassInputs&, const SetOrphans&)>& look);

// When a pod that has ended may be replaced.
absl::Time ReplaceableAt(const v1::Pod& pod, absl::Time now);

}  // namespace cluster::controller
