#include "proto/validate/template_rules.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/scalars.h"
#include "proto/schema/selector.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/pod_rules.h"
#include "proto/validate/resource_rules.h"

namespace cluster {

void CheckAnyTemplate(const v1::PodTemplateSpec& pod_template, const Path& path,
                      Findings* findings) {
  CheckLabels(pod_template.metadata().labels(), path / "metadata" / "labels", findings);
  CheckAnnotations(pod_template.metadata().annotations(), path / "metadata" / "annotations",
                   findings);
  CheckTuning(pod_template.metadata(), path / "metadata", findings);
  CheckPodSpec(pod_template.spec(), path / "spec", findings);
  if (!pod_template.spec().ephemeral_containers().empty()) {
    findings->Add(path / "spec" / "ephemeralContainers",
                  "a template cannot have these; add them to a running pod with clusterctl debug");
  }
}

void CheckTemplate(const v1::PodTemplateSpec& pod_template, const Path& path, Findings* findings) {
  CheckAnyTemplate(pod_template, path, findings);
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

void CheckSelectorOf(const v1::LabelSelector& selector, const v1::PodTemplateSpec& pod_template,
                     Findings* findings) {
  const Path path("spec");
  CheckSelector(selector, path / "selector", findings);
  const auto matcher = LabelMatcher::From(selector);
  const bool selects = !selector.match_labels().empty() || !selector.match_expressions().empty();
  if (selects && matcher.ok() && !matcher->Matches(pod_template.metadata().labels())) {
    findings->Add(path / "template" / "metadata" / "labels",
                  absl::StrCat("the selector ", matcher->ToString(),
                               " does not match these labels; make them agree"));
  }
}

void CheckPart(const std::string& text, int most_percent, const Path& path, Findings* findings) {
  const auto amount = ScaleIntOrString(text, 100, Rounding::kUp);
  if (!amount.ok()) {
    findings->Add(path, std::string(amount.status().message()));
  } else if (most_percent > 0 && absl::EndsWith(text, "%") && *amount > most_percent) {
    findings->Add(path, absl::StrCat(Quote(text), " is too much; use at most ", most_percent, "%"));
  }
}

bool IsNoPart(const std::string& text) {
  const auto amount = ScaleIntOrString(text, 100, Rounding::kUp);
  return amount.ok() && *amount == 0;
}

void CheckNotNegative(int64_t number, const Path& path, Findings* findings) {
  if (number < 0) findings->Add(path, absl::StrCat(number, " is negative; use 0 or more"));
}

}  // namespace cluster
