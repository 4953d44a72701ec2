// Pods of StatefulSets and DaemonSets: how they are made, claimed, and when they count as
// available.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

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

// Since when the pod counts as available: ready for `min_ready`. InfiniteFuture: it is not ready,
// or has ended or is ending.
absl::Time AvailableAt(const v1::Pod& pod, absl::Duration min_ready);

// When a pod that has ended may be replaced.
absl::Time ReplaceableAt(const v1::Pod& pod);

}  // namespace cluster::controller
