// A rollout that fails goes back by itself to the last revision that was complete once. Used by the
// rollout alone.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

#include "controller/reconcile/revisions.h"

namespace cluster::controller {

// On Deployments: "false" leaves a failed rollout as it is, as in Kubernetes.
constexpr absl::string_view kAutoRollbackAnnotation = "cluster.v1/auto-rollback";
// On ReplicaSets: "true" once the whole Deployment was of it and available.
constexpr absl::string_view kCompleteAnnotation = "rollout.cluster.v1/complete";
// Condition of a Deployment that has gone back, until another template comes.
constexpr absl::string_view kRolledBack = "RolledBack";

// A container that was started so many times again, and is not ready, keeps failing; and so do as
// many pods that have failed.
constexpr int kFailuresThatFail = 5;

// What is done about a rollout that has failed: `deployment` as it is to be stored, and one event.
struct Rollback {
  v1::Deployment deployment;
  EventNote event;
};

// nullopt: it goes on, or there is nothing to go back to, or the revision was complete before and
// is kept for that. `status` is what this pass found.
std::optional<Rollback> RollBack(const View& view, const Rollout& rollout,
                                 const v1::DeploymentStatus& status, absl::Time now);

// Takes the condition away where the Deployment has another template or other data by now.
void ReviewRolledBack(const Rollout& rollout, v1::DeploymentStatus* status);

}  // namespace cluster::controller
