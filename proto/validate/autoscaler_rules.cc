#include "proto/validate/autoscaler_rules.h"

#include "absl/strings/str_cat.h"

#include "proto/schema/kinds.h"
#include "proto/schema/scalars.h"
#include "proto/validate/name_rules.h"

namespace cluster {
namespace {

constexpr int kDefaultUtilization = 80;

void AddPolicy(v1::ScalingPolicyType type, int value, v1::ScalingRules* rules) {
  v1::ScalingPolicy* policy = rules->add_policies();
  policy->set_type(type);
  policy->set_value(value);
  policy->set_period_seconds(15);
}

void DefaultRules(int window_seconds, v1::ScalingRules* rules) {
  if (!rules->has_stabilization_window_seconds()) {
    rules->set_stabilization_window_seconds(window_seconds);
  }
  if (rules->select_policy() == v1::SCALING_POLICY_SELECT_UNSPECIFIED) {
    rules->set_select_policy(v1::SCALING_POLICY_SELECT_MAX);
  }
  const auto tolerance = CanonicalQuantity(rules->tolerance());
  // What is no quantity is refused by the validation.
  if (!rules->tolerance().empty() && tolerance.ok()) rules->set_tolerance(*tolerance);
}

bool IsScalable(const std::string& kind) {
  return kind == "Deployment" || kind == "ReplicaSet" || kind == "StatefulSet";
}

void CheckTargetRef(const v1::CrossVersionObjectReference& target, const Path& path,
                    Findings* findings) {
  if (!IsScalable(target.kind())) {
    findings->Add(path / "kind",
                  absl::StrCat(target.kind().empty() ? "missing" : Quote(target.kind()),
                               "; write Deployment, StatefulSet or ReplicaSet"));
  } else if (const std::string& version = FindKind(target.kind())->api_version;
             !target.api_version().empty() && target.api_version() != version) {
    findings->Add(path / "apiVersion", absl::StrCat(Quote(target.api_version()), " has no kind ",
                                                    target.kind(), "; write ", version));
  }
  if (target.name().empty()) {
    findings->Add(path / "name", "missing; name the object whose replicas are to be scaled");
  } else {
    findings->AddProblem(path / "name", DnsSubdomainProblem(target.name()));
  }
}

void CheckUtilization(const v1::MetricTarget& target, const Path& path, Findings* findings) {
  if (!target.average_value().empty()) {
    findings->Add(path / "averageValue",
                  "a Utilization is a percentage; remove this, or set the type to AverageValue");
  }
  if (!target.has_average_utilization()) {
    findings->Add(path / "averageUtilization",
                  "missing; write the percentage of the request that pods shall use, such as 80");
  } else if (target.average_utilization() <= 0) {
    findings->Add(path / "averageUtilization",
                  absl::StrCat(target.average_utilization(), " is no target; use 1 or more"));
  }
}

void CheckAverageValue(const v1::MetricTarget& target, const Path& path, Findings* findings) {
  if (target.has_average_utilization()) {
    findings->Add(path / "averageUtilization",
                  "an AverageValue is an amount; remove this, or set the type to Utilization");
  }
  if (target.average_value().empty()) {
    findings->Add(path / "averageValue",
                  "missing; write what a pod shall use on average, such as 500m or 256Mi");
    return;
  }
  const auto amount = QuantityMilli(target.average_value());
  if (!amount.ok()) {
    findings->Add(path / "averageValue", std::string(amount.status().message()));
  } else if (*amount <= 0) {
    findings->Add(path / "averageValue",
                  absl::StrCat(Quote(target.average_value()), " is no target; use more than 0"));
  }
}

void CheckMetric(const v1::MetricSpec& metric, const Path& path, Findings* findings) {
  if (metric.type() == v1::METRIC_SOURCE_TYPE_UNSPECIFIED) {
    return findings->Add(path / "type", "missing; write Resource");
  }
  if (!metric.has_resource()) {
    return findings->Add(path / "resource",
                         "missing; a Resource metric needs the resource's name and a target");
  }
  const std::string& name = metric.resource().name();
  if (name != "cpu" && name != "memory") {
    findings->Add(path / "resource" / "name",
                  absl::StrCat(name.empty() ? "missing" : Quote(name), "; write cpu or memory"));
  }
  const Path target = path / "resource" / "target";
  const v1::MetricTargetType type = metric.resource().target().type();
  if (type == v1::METRIC_TARGET_TYPE_UTILIZATION) {
    CheckUtilization(metric.resource().target(), target, findings);
  } else if (type == v1::METRIC_TARGET_TYPE_AVERAGE_VALUE) {
    CheckAverageValue(metric.resource().target(), target, findings);
  } else {
    findings->Add(target / "type", "missing; write Utilization or AverageValue");
  }
}

void CheckPolicy(const v1::ScalingPolicy& policy, const Path& path, Findings* findings) {
  if (policy.type() == v1::SCALING_POLICY_TYPE_UNSPECIFIED) {
    findings->Add(path / "type", "missing; write Pods or Percent");
  }
  if (policy.value() <= 0) {
    findings->Add(path / "value",
                  absl::StrCat(policy.value(), " lets nothing change; use 1 or more"));
  }
  if (policy.period_seconds() <= 0 || policy.period_seconds() > kLongestPeriodSeconds) {
    findings->Add(path / "periodSeconds",
                  absl::StrCat(policy.period_seconds(), " is not from 1 to ", kLongestPeriodSeconds,
                               " seconds"));
  }
}

void CheckRules(const v1::ScalingRules& rules, const Path& path, Findings* findings) {
  const int window = rules.stabilization_window_seconds();
  if (window < 0 || window > kLongestWindowSeconds) {
    findings->Add(path / "stabilizationWindowSeconds",
                  absl::StrCat(window, " is not from 0 to ", kLongestWindowSeconds, " seconds"));
  }
  for (int i = 0; i < rules.policies_size(); ++i) {
    CheckPolicy(rules.policies(i), (path / "policies").At(i), findings);
  }
  if (rules.tolerance().empty()) return;
  const auto tolerance = QuantityMilli(rules.tolerance());
  if (!tolerance.ok()) {
    findings->Add(path / "tolerance", std::string(tolerance.status().message()));
  } else if (*tolerance < 0) {
    findings->Add(path / "tolerance",
                  absl::StrCat(Quote(rules.tolerance()), " is negative; use 0 or more"));
  }
}

}  // namespace

void DefaultBehavior(v1::ScalingBehavior* behavior) {
  v1::ScalingRules* up = behavior->mutable_scale_up();
  DefaultRules(0, up);
  if (up->policies().empty()) {
    AddPolicy(v1::SCALING_POLICY_TYPE_PODS, 4, up);
    AddPolicy(v1::SCALING_POLICY_TYPE_PERCENT, 100, up);
  }
  v1::ScalingRules* down = behavior->mutable_scale_down();
  DefaultRules(300, down);
  if (down->policies().empty()) AddPolicy(v1::SCALING_POLICY_TYPE_PERCENT, 100, down);
}

void DefaultAutoscaler(v1::HorizontalPodAutoscalerSpec* spec) {
  if (!spec->has_min_replicas()) spec->set_min_replicas(1);
  if (spec->metrics().empty()) {
    v1::MetricSpec* metric = spec->add_metrics();
    metric->set_type(v1::METRIC_SOURCE_TYPE_RESOURCE);
    metric->mutable_resource()->set_name("cpu");
    v1::MetricTarget* target = metric->mutable_resource()->mutable_target();
    target->set_type(v1::METRIC_TARGET_TYPE_UTILIZATION);
    target->set_average_utilization(kDefaultUtilization);
  }
  for (v1::MetricSpec& metric : *spec->mutable_metrics()) {
    const auto canonical = CanonicalQuantity(metric.resource().target().average_value());
    if (metric.resource().target().average_value().empty() || !canonical.ok()) continue;
    metric.mutable_resource()->mutable_target()->set_average_value(*canonical);
  }
  if (spec->has_behavior()) DefaultBehavior(spec->mutable_behavior());
}

void CheckAutoscaler(const v1::HorizontalPodAutoscalerSpec& spec, Findings* findings) {
  const Path path("spec");
  CheckTargetRef(spec.scale_target_ref(), path / "scaleTargetRef", findings);
  if (spec.min_replicas() < 1) {
    findings->Add(path / "minReplicas",
                  absl::StrCat(spec.min_replicas(), " is too few; use 1 or more"));
  }
  if (spec.max_replicas() < 1) {
    findings->Add(path / "maxReplicas",
                  absl::StrCat(spec.max_replicas(), " is too few; use 1 or more"));
  } else if (spec.max_replicas() < spec.min_replicas()) {
    findings->Add(path / "maxReplicas",
                  absl::StrCat(spec.max_replicas(), " is less than minReplicas, which is ",
                               spec.min_replicas(), "; use that or more"));
  }
  for (int i = 0; i < spec.metrics_size(); ++i) {
    CheckMetric(spec.metrics(i), (path / "metrics").At(i), findings);
  }
  if (!spec.has_behavior()) return;
  CheckRules(spec.behavior().scale_up(), path / "behavior" / "scaleUp", findings);
  CheckRules(spec.behavior().scale_down(), path / "behavior" / "scaleDown", findings);
}

}  // namespace cluster
