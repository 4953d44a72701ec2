#include "cli/output/autoscaler_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cluster::cli {
namespace {

constexpr size_t kMostTargets = 2;

bool IsPercentage(const v1::MetricSpec& metric) {
  return metric.resource().target().type() == v1::METRIC_TARGET_TYPE_UTILIZATION;
}

// nullptr: not known. Of one resource there may be a percentage and an amount.
const v1::MetricValueStatus* CurrentOf(const v1::HorizontalPodAutoscaler& autoscaler,
                                       const v1::MetricSpec& metric) {
  for (const v1::MetricStatus& status : autoscaler.status().current_metrics()) {
    if (status.resource().name() == metric.resource().name() &&
        status.resource().current().has_average_utilization() == IsPercentage(metric)) {
      return &status.resource().current();
    }
  }
  return nullptr;
}

}  // namespace

std::string ScaleTargetText(const v1::HorizontalPodAutoscaler& autoscaler) {
  const v1::CrossVersionObjectReference& target = autoscaler.spec().scale_target_ref();
  return absl::StrCat(target.kind(), "/", target.name());
}

MetricText TextOf(const v1::HorizontalPodAutoscaler& autoscaler, const v1::MetricSpec& metric) {
  const v1::MetricValueStatus* current = CurrentOf(autoscaler, metric);
  const v1::MetricTarget& target = metric.resource().target();
  MetricText text{"<unknown>", "", target.average_value()};
  if (IsPercentage(metric)) text.target = absl::StrCat(target.average_utilization(), "%");
  if (current == nullptr) return text;
  text.current = current->average_value();
  if (IsPercentage(metric)) {
    text.raw = text.current;
    text.current = absl::StrCat(current->average_utilization(), "%");
  }
  return text;
}

std::string TargetsText(const v1::HorizontalPodAutoscaler& autoscaler) {
  std::vector<std::string> texts;
  for (const v1::MetricSpec& metric : autoscaler.spec().metrics()) {
    const MetricText text = TextOf(autoscaler, metric);
    texts.push_back(absl::StrCat(metric.resource().name(), ": ", text.current, "/", text.target));
  }
  if (texts.empty()) return "<none>";
  const size_t more = texts.size() > kMostTargets ? texts.size() - kMostTargets : 0;
  texts.resize(texts.size() - more);
  std::string joined = absl::StrJoin(texts, ", ");
  if (more > 0) absl::StrAppend(&joined, " + ", more, " more...");
  return joined;
}

}  // namespace cluster::cli
