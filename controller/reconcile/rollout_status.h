// What a Deployment reports about its rollout.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "controller/reconcile/revisions.h"

namespace cluster::controller {

// Reason of Progressing where the deadline has passed.
constexpr absl::string_view kDeadlineExceeded = "ProgressDeadlineExceeded";

// Counts and the conditions Available and Progressing.
v1::DeploymentStatus RolloutStatus(Rollout* rollout, absl::Time now);

// Every pod is of the current revision and available.
bool IsComplete(const v1::Deployment& deployment, const v1::DeploymentStatus& status);

// When the progress deadline passes; nullopt where none is running.
std::optional<absl::Time> ProgressDeadline(const v1::Deployment& deployment,
                                           const v1::DeploymentStatus& status);

}  // namespace cluster::controller
