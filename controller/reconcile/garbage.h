// What nobody wants any more: objects whose owner is gone, deletions that wait for others
// (foreground, orphan), ended pods and old events.
#pragma once

#include "absl/time/time.h"

#include "controller/reconcile/changes.h"

namespace cluster::controller {

// On an object that is being deleted: what it owns goes first.
constexpr absl::string_view kForegroundFinalizer = "foregroundDeletion";
// On an object that is being deleted: what it owns is released first, and stays.
constexpr absl::string_view kOrphanFinalizer = "orphan";

// Ended pods kept per owner, the newest ones.
constexpr int kEndedPodsPerOwner = 5;
// A job's pods are its results: their logs are looked at.
constexpr int kEndedPodsPerJob = 1000;
constexpr absl::Duration kEventLife = absl::Hours(1);

Changes ReconcileGarbage(const View& view, absl::Time now);

// Deletes one object as its kind wants it: a bound pod is ended by its node, everything else goes
// at once. Nothing for what is already on its way.
void DeleteObject(const Entry& entry, absl::Time now, Changes* changes);

}  // namespace cluster::controller
