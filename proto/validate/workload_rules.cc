#include "proto/validate/workload_rules.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/scalars.h"
#include "proto/schema/selector.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/pod_rules.h"
#include "proto/validate/resource_rules.h"

namespace cluster {
namespace {

void CheckTemplate(const v1::PodTemplateSpec& pod_template, const Path& path, Findings* findings) {
  CheckLabels(pod_template.metadata().labels(), path / "metadata" / "labels", findings);
  CheckAnnotations(pod_template.metadata().annotations(), path / "metadata" / "annotations",
                   findings);
  CheckTuning(pod_template.metadata(), path / "metadata", findings);
  CheckPodSpec(pod_template.spec(), path / "spec", findings);
  if (!pod_template.spec().ephemeral_containers().empty()) {
    findings->Add(path / "spec" / "ephemeralContainers",
                  "a template cannot have these; add them to a running pod with clusterctl debug");
  }
  const v1::RestartPolicy policy = pod_template.spec().restart_policy();
  if (policy != v1::RESTART_POLICY_ALWAYS && policy != v1::RESTART_POLICY_UNSPECIFIED) {
    findings->Add(path / "spec" / "restartPolicy",
                  absl::StrCat(EnumText(policy),
                               " is not possible here; pods that are kept running need Always"));
  }
  if (pod_template.spec().has_active_deadline_seconds()) {
    findings->Add(path / "spec" / "activeDeadlineSeconds",
                  "pods that are kept running cannot have a deadline; remove it");
  }
}

template <typename Spec>
void CheckReplicated(const Spec& spec, Findings* findings) {
  const Path path("spec");
  if (spec.replicas() < 0) {
    findings->Add(path / "replicas", absl::StrCat(spec.replicas(), " is negative; use 0 or more"));
  }
  CheckTemplate(spec.template_(), path / "template", findings);
  CheckSelector(spec.selector(), path / "selector", findings);
  const auto matcher = LabelMatcher::From(spec.selector());
  const bool selects =
      !spec.selector().match_labels().empty() || !spec.selector().match_expressions().empty();
  if (selects && matcher.ok() && !matcher->Matches(spec.template_().metadata().labels())) {
    findings->Add(path / "template" / "metadata" / "labels",
                  absl::StrCat("the selector ", matcher->ToString(),
                               " does not match these labels; make them agree"));
  }
}

// A number or a percentage, not negative; `most_percent` 0: no bound.
void CheckPart(const std::string& text, int most_percent, const Path& path, Findings* findings) {
  const auto amount = ScaleIntOrString(text, 100, Rounding::kUp);
  if (!amount.ok()) {
    findings->Add(path, std::string(amount.status().message()));
  } else if (most_percent > 0 && absl::EndsWith(text, "%") && *amount > most_percent) {
    findings->Add(path, absl::StrCat(Quote(text), " is too much; use at most ", most_percent, "%"));
  }
}

bool IsZero(const std::string& text) {
  const auto amount = ScaleIntOrString(text, 100, Rounding::kUp);
  return amount.ok() && *amount == 0;
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
  if (IsZero(update.max_surge()) && IsZero(update.max_unavailable())) {
    findings->Add(path / "maxUnavailable",
                  "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced; raise "
                  "one of them");
  }
}

}  // namespace

void CheckDeployment(const v1::DeploymentSpec& spec, Findings* findings) {
  const Path path("spec");
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
}

void CheckReplicaSet(const v1::ReplicaSetSpec& spec, Findings* findings) {
  CheckReplicated(spec, findings);
}

}  // namespace cluster
