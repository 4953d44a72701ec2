#include "proto/validate/policy_rules.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/scalars.h"
#include "proto/schema/system_priorities.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/name_rules.h"

namespace cluster {
namespace {

void CheckShare(const std::string& text, const Path& path, Findings* findings) {
  if (text.empty()) return;
  const auto amount = ScaleIntOrString(text, 100, Rounding::kUp);
  if (!amount.ok()) {
    findings->Add(path, std::string(amount.status().message()));
  } else if (absl::EndsWith(text, "%") && *amount > 100) {
    findings->Add(path, absl::StrCat(Quote(text), " is too much; use at most 100%"));
  }
}

}  // namespace

void CheckBudget(const v1::PodDisruptionBudgetSpec& spec, Findings* findings) {
  const Path path("spec");
  if (spec.min_available().empty() == spec.max_unavailable().empty()) {
    findings->Add(path, spec.min_available().empty()
                            ? "a budget needs minAvailable or maxUnavailable; set one of them"
                            : "minAvailable and maxUnavailable cannot both be set; keep one");
  }
  CheckShare(spec.min_available(), path / "minAvailable", findings);
  CheckShare(spec.max_unavailable(), path / "maxUnavailable", findings);
  CheckSelectorForm(spec.selector(), path / "selector", findings);
}

void CheckPriorityClass(const v1::PriorityClass& priority_class, Findings* findings) {
  const std::string& name = priority_class.metadata().name();
  const SystemPriority* system = FindSystemPriority(name);
  if (system != nullptr) {
    if (priority_class.value() != system->value) {
      findings->Add(Path("value"),
                    absl::StrCat("the priority of ", name, " is ", system->value, "; leave it so"));
    }
    if (priority_class.global_default()) {
      findings->Add(Path("globalDefault"), absl::StrCat(name, " cannot be the default; remove it"));
    }
    return;
  }
  if (absl::StartsWith(name, "system-")) {
    findings->Add(Path("metadata") / "name",
                  "names that begin with system- are the system's own; choose another");
  }
  if (priority_class.value() > kMostPriority) {
    findings->Add(Path("value"), absl::StrCat(priority_class.value(),
                                              " is the system's own; use at most ", kMostPriority));
  }
}

void CheckPriorityClassKept(const v1::PriorityClass& before, const v1::PriorityClass& after,
                            Findings* findings) {
  if (before.value() != after.value()) {
    findings->Add(Path("value"),
                  absl::StrCat("a class's priority cannot change, it is ", before.value(),
                               "; make another class, or delete this one first"));
  }
  if (before.preemption_policy() != after.preemption_policy()) {
    findings->Add(Path("preemptionPolicy"),
                  absl::StrCat("this cannot change, it is ", EnumText(before.preemption_policy()),
                               "; make another class, or delete this one first"));
  }
}

}  // namespace cluster
