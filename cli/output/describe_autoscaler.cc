// The part of `describe` that is about HorizontalPodAutoscalers.
#include "absl/strings/str_cat.h"
#include "cli/output/autoscaler_text.h"
#include "cli/output/describe.h"

#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

void DescribeMetrics(const v1::HorizontalPodAutoscaler& autoscaler, Description& text) {
  text.Field(0, "Metrics", "( current / target )");
  for (const v1::MetricSpec& metric : autoscaler.spec().metrics()) {
    const MetricText values = TextOf(autoscaler, metric);
    const bool percentage = metric.resource().target().type() == v1::METRIC_TARGET_TYPE_UTILIZATION;
    text.Field(1,
               absl::StrCat("resource ", metric.resource().name(), " on pods",
                            percentage ? "  (as a percentage of request)" : ""),
               absl::StrCat(values.current, values.raw.empty() ? "" : " (", values.raw,
                            values.raw.empty() ? "" : ")", " / ", values.target));
  }
}

void DescribeRules(absl::string_view direction, const v1::ScalingRules& rules, Description& text) {
  text.Section(1, direction);
  text.Field(2, "Stabilization Window",
             absl::StrCat(rules.stabilization_window_seconds(), " seconds"));
  text.Field(2, "Select Policy", EnumText(rules.select_policy()));
  if (!rules.tolerance().empty()) text.Field(2, "Tolerance", rules.tolerance());
  text.Section(2, "Policies");
  for (const v1::ScalingPolicy& policy : rules.policies()) {
    text.Line(3, absl::StrCat("- Type: ", EnumText(policy.type()), "  Value: ", policy.value(),
                              "  Period: ", policy.period_seconds(), " seconds"));
  }
}

}  // namespace

void DescribeAutoscaler(const v1::HorizontalPodAutoscaler& autoscaler, absl::Time now,
                        Description& text) {
  const v1::HorizontalPodAutoscalerSpec& spec = autoscaler.spec();
  text.Field(0, "Reference", ScaleTargetText(autoscaler));
  DescribeMetrics(autoscaler, text);
  text.Field(0, "Min replicas", absl::StrCat(spec.min_replicas()));
  text.Field(0, "Max replicas", absl::StrCat(spec.max_replicas()));
  if (spec.has_behavior()) {
    text.Section(0, "Behavior");
    DescribeRules("Scale Up", spec.behavior().scale_up(), text);
    DescribeRules("Scale Down", spec.behavior().scale_down(), text);
  }
  text.Field(0, absl::StrCat(spec.scale_target_ref().kind(), " pods"),
             absl::StrCat(autoscaler.status().current_replicas(), " current / ",
                          autoscaler.status().desired_replicas(), " desired"));
  DescribeConditions(autoscaler.status().conditions(), now, text);
}

}  // namespace cluster::cli
