#include "proto/validate/workload_rules.h"

#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "proto/validate/template_rules.h"

namespace cluster {
namespace {

template <typename Spec>
void CheckReplicated(const Spec& spec, Findings* findings) {
  const Path path("spec");
  if (spec.replicas() < 0) {
    findings->Add(path / "replicas", absl::StrCat(spec.replicas(), " is negative; use 0 or more"));
  }
  if (spec.min_ready_seconds() < 0) {
    findings->Add(path / "minReadySeconds",
                  absl::StrCat(spec.min_ready_seconds(), " is negative; use 0 or more"));
  }
  CheckTemplate(spec.template_(), path / "template", findings);
  CheckSelectorOf(spec.selector(), spec.template_(), findings);
}

void CheckStrategy(const v1::DeploymentStrategy& strategy, Findings* findings) {
  const Path path = Path("spec") / "strategy" / "rollingUpdate";
  if (!strategy.has_rolling_update()) return;
  if (strategy.type() == v1::STRATEGY_TYPE_RECREATE) {
    findings->Add(path,
                  "Recreate takes no rollingUpdate; remove it, or set the type to "
                  "RollingUpdate");
    return;
  }
  const v1::RollingUpdate& update = strategy.rolling_update();
  CheckPart(update.max_surge(), 0, path / "maxSurge", findings);
  CheckPart(update.max_unavailable(), 100, path / "maxUnavailable", findings);
  if (IsNoPart(update.max_surge()) && IsNoPart(update.max_unavailable())) {
    findings->Add(path / "maxUnavailable",
                  "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced; raise "
                  "one of them");
  }
}

}  // namespace

void CheckRolloutAnnotations(const v1::ObjectMeta& meta, bool can_roll_back, Findings* findings) {
  const std::map<std::string, std::string> sorted(meta.annotations().begin(),
                                                  meta.annotations().end());
  for (const auto& [key, value] : sorted) {
    if (!absl::StartsWith(key, "cluster.v1/")) continue;
    const Path path = (Path("metadata") / "annotations").Key(key);
    const bool known =
        key == "cluster.v1/config-rollout" || (can_roll_back && key == "cluster.v1/auto-rollback");
    if (!known) {
      findings->Add(path, absl::StrCat("there is no such annotation here; there is ",
                                       can_roll_back ? "cluster.v1/auto-rollback and " : "",
                                       "cluster.v1/config-rollout, and what concerns the pods "
                                       "belongs to spec.template.metadata.annotations"));
    } else if (value != "true" && value != "false") {
      findings->Add(path, absl::StrCat("\"", value, "\" says nothing; use \"true\" or \"false\""));
    }
  }
}

void CheckDeployment(const v1::Deployment& deployment, Findings* findings) {
  const v1::DeploymentSpec& spec = deployment.spec();
  const Path path("spec");
  CheckRolloutAnnotations(deployment.metadata(), true, findings);
  CheckReplicated(spec, findings);
  CheckStrategy(spec.strategy(), findings);
  if (spec.revision_history_limit() < 0) {
    findings->Add(path / "revisionHistoryLimit",
                  absl::StrCat(spec.revision_history_limit(), " is negative; use 0 or more"));
  }
  if (spec.has_progress_deadline_seconds() && spec.progress_deadline_seconds() <= 0) {
    findings->Add(path / "progressDeadlineSeconds",
                  absl::StrCat(spec.progress_deadline_seconds(),
                               " is no time to make progress in; use 1 second or more"));
  }
  const int deadline =
      spec.has_progress_deadline_seconds() ? spec.progress_deadline_seconds() : 600;
  if (deadline > 0 && spec.min_ready_seconds() >= deadline) {
    findings->Add(path / "minReadySeconds",
                  absl::StrCat("no pod could be available within progressDeadlineSeconds (",
                               deadline, "); use less"));
  }
}

void CheckReplicaSet(const v1::ReplicaSetSpec& spec, Findings* findings) {
  CheckReplicated(spec, findings);
}

}  // namespace cluster
