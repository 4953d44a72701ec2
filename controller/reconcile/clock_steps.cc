#include "controller/reconcile/clock_steps.h"

#include <utility>

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/jobs.h"
#include "controller/reconcile/rollout_status.h"

namespace cluster::controller {

Changes ShiftDeadlines(const View& view, absl::Duration step) {
  Changes changes;
  for (const auto& [key, entry] : view.All(v1::Object::kDeployment)) {
    const v1::Deployment& deployment = entry->object.deployment();
    if (!ProgressDeadline(deployment, deployment.status()).has_value()) continue;
    v1::Object after = entry->object;
    for (v1::Condition& condition :
         *after.mutable_deployment()->mutable_status()->mutable_conditions()) {
      if (condition.type() != "Progressing") continue;
      auto* since = condition.mutable_last_update_time();
      *since = Seconds(ToTime(*since) + step);
    }
    changes.Put(*entry, std::move(after));
  }
  for (const auto& [key, entry] : view.All(v1::Object::kJob)) {
    const v1::Job& job = entry->object.job();
    if (!job.spec().has_active_deadline_seconds() || !job.status().has_start_time()) continue;
    if (IsJobFinished(job)) continue;
    v1::Object after = entry->object;
    auto* since = after.mutable_job()->mutable_status()->mutable_start_time();
    *since = Seconds(ToTime(*since) + step);
    changes.Put(*entry, std::move(after));
  }
  return changes;
}

}  // namespace cluster::controller
