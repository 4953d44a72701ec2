// The parts of `describe` that are about where pods go, and who may take them away.
#include "absl/strings/str_cat.h"
#include "cli/output/describe.h"
#include "cli/output/placement_text.h"
#include "cli/output/rows.h"

#include "proto/schema/enum_text.h"

namespace cluster::cli {

void DescribePlacement(const v1::WhyResponse& why, Description& text) {
  text.Section(0, "Placement");
  text.Line(1, why.summary());
  text.Rows(1, WhyRows(why));
}

void DescribeBudget(const v1::PodDisruptionBudget& budget, absl::Time now, Description& text) {
  const v1::PodDisruptionBudgetSpec& spec = budget.spec();
  if (!spec.min_available().empty()) text.Field(0, "Min available", spec.min_available());
  if (!spec.max_unavailable().empty()) text.Field(0, "Max unavailable", spec.max_unavailable());
  text.Field(0, "Selector", spec.has_selector() ? SelectorText(spec.selector()) : "<unset>");
  text.Section(0, "Status");
  text.Field(1, "Allowed disruptions", absl::StrCat(budget.status().disruptions_allowed()));
  text.Field(1, "Current", absl::StrCat(budget.status().current_healthy()));
  text.Field(1, "Desired", absl::StrCat(budget.status().desired_healthy()));
  text.Field(1, "Total", absl::StrCat(budget.status().expected_pods()));
  DescribeConditions(budget.status().conditions(), now, text);
}

void DescribePriorityClass(const v1::PriorityClass& priority_class, Description& text) {
  text.Field(0, "Value", absl::StrCat(priority_class.value()));
  text.Field(0, "GlobalDefault", priority_class.global_default() ? "true" : "false");
  text.Field(0, "PreemptionPolicy", EnumText(priority_class.preemption_policy()));
  text.Field(0, "Description", OrNone(priority_class.description()));
}

}  // namespace cluster::cli
