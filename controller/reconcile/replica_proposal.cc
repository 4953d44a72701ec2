#include "controller/reconcile/replica_proposal.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

// Kubernetes' --horizontal-pod-autoscaler-cpu-initialization-period and -initial-readiness-delay.
constexpr absl::Duration kCpuInitialization = absl::Minutes(5);
constexpr absl::Duration kInitialReadiness = absl::Seconds(30);

bool IsCpu(const v1::MetricSpec& metric) { return metric.resource().name() == "cpu"; }

bool IsUtilization(const v1::MetricSpec& metric) {
  return metric.resource().target().type() == v1::METRIC_TARGET_TYPE_UTILIZATION;
}

// Thousandths of a core, or bytes.
absl::StatusOr<int64_t> AmountOf(const v1::MetricSpec& metric, const std::string& text) {
  return IsCpu(metric) ? QuantityMilli(text) : QuantityValue(text);
}

std::optional<int64_t> UseOf(const v1::Pod& pod, const UsageSample& usage,
                             const v1::MetricSpec& metric) {
  const auto found = usage.pods.find(pod.metadata().uid());
  if (found == usage.pods.end()) return std::nullopt;
  return IsCpu(metric) ? found->second.cpu_milli : found->second.memory_bytes;
}

// What a pod does before it serves is not what it will use.
bool IsStillStarting(const v1::Pod& pod, const PodUsage& usage, absl::Time now) {
  const v1::Condition* ready = FindCondition(pod.status().conditions(), "Ready");
  if (ready == nullptr || !pod.status().has_start_time()) return true;
  const absl::Time started = ToTime(pod.status().start_time());
  const absl::Time turned = ToTime(ready->last_transition_time());
  const bool unready = ready->status() != v1::CONDITION_STATUS_TRUE;
  // What started later than now did so before the clock was set back, or by a clock that is ahead.
  if (started <= now && started + kCpuInitialization > now) {
    return unready || usage.at < turned + usage.window;
  }
  // One that was never ready; another that lost its readiness counts.
  return unready && started + kInitialReadiness > turned;
}

struct Groups {
  std::map<std::string, int64_t> known;  // what pods use that count, by name
  std::set<std::string> unready;
  std::set<std::string> missing;
};

Groups GroupPods(const std::vector<const v1::Pod*>& pods, const UsageSample& usage,
                 const v1::MetricSpec& metric, absl::Time now) {
  Groups groups;
  for (const v1::Pod* pod : pods) {
    const std::string& name = pod->metadata().name();
    if (!IsActive(*pod)) continue;
    if (pod->status().phase() != v1::POD_PHASE_RUNNING) {
      groups.unready.insert(name);
      continue;
    }
    const std::optional<int64_t> used = UseOf(*pod, usage, metric);
    if (!used.has_value()) {
      groups.missing.insert(name);
    } else if (IsCpu(metric) && IsStillStarting(*pod, usage.pods.at(pod->metadata().uid()), now)) {
      groups.unready.insert(name);
    } else {
      groups.known[name] = *used;
    }
  }
  return groups;
}

absl::StatusOr<int64_t> RequestOfContainers(const v1::Pod& pod, const v1::MetricSpec& metric) {
  const std::string& resource = metric.resource().name();
  int64_t sum = 0;
  const auto add = [&](const v1::Container& container) -> absl::Status {
    const auto& requests = container.resources().requests();
    const auto request = requests.find(resource);
    if (request == requests.end()) {
      return absl::FailedPreconditionError(absl::StrCat("missing request for ", resource,
                                                        " in container ", container.name(),
                                                        " of Pod ", pod.metadata().name()));
    }
    ASSIGN_OR_RETURN(const int64_t amount, AmountOf(metric, request->second));
    sum += amount;
    return absl::OkStatus();
  };
  for (const v1::Container& container : pod.spec().containers()) RETURN_IF_ERROR(add(container));
  for (const v1::Container& container : pod.spec().init_containers()) {
    if (IsSidecar(container.restart_policy())) RETURN_IF_ERROR(add(container));
  }
  return sum;
}

struct Ratio {
  double ratio = 0;  // of use and target
  int64_t average = 0;
  int percent = 0;  // of what is requested, with Utilization
};

// One metric over one set of pods.
class Calculation {
 public:
  Calculation(const v1::MetricSpec& metric, Groups groups, std::map<std::string, int64_t> requests,
              int64_t target)
      : metric_(metric),
        groups_(std::move(groups)),
        requests_(std::move(requests)),
        target_(target) {}

  absl::StatusOr<ReplicaProposal> Run(int current, Tolerance tolerance) {
    ASSIGN_OR_RETURN(const Ratio first, RatioNow());
    ReplicaProposal proposal;
    FillStatus(first, &proposal.status);
    proposal.replicas = current;
    const bool up_with_unready = !groups_.unready.empty() && first.ratio > 1;
    if (!up_with_unready && groups_.missing.empty()) {
      if (!Within(first, tolerance)) proposal.replicas = Scaled(first);
      return proposal;
    }
    AssumeMissing(first.ratio);
    if (up_with_unready) {
      for (const std::string& name : groups_.unready) groups_.known[name] = 0;
    }
    ASSIGN_OR_RETURN(const Ratio second, RatioNow());
    const bool turned =
        (first.ratio < 1 && second.ratio > 1) || (first.ratio > 1 && second.ratio < 1);
    if (Within(second, tolerance) || turned) return proposal;
    const int replicas = Scaled(second);
    const bool wrong_way =
        (second.ratio < 1 && replicas > current) || (second.ratio > 1 && replicas < current);
    if (!wrong_way) proposal.replicas = replicas;
    return proposal;
  }

 private:
  static bool Within(const Ratio& now, Tolerance tolerance) {
    return 1 - tolerance.down <= now.ratio && now.ratio <= 1 + tolerance.up;
  }

  // Divided last: ten pods and 1.1 are eleven, not 11.000000000000002.
  int Scaled(const Ratio& now) const {
    const double used = IsUtilization(metric_) ? now.percent : static_cast<double>(now.average);
    const double pods = static_cast<double>(groups_.known.size());
    return static_cast<int>(std::min(std::ceil(used * pods / static_cast<double>(target_)), 1e9));
  }

  absl::StatusOr<Ratio> RatioNow() const {
    double used = 0;
    double requested = 0;
    for (const auto& [name, amount] : groups_.known) {
      used += static_cast<double>(amount);
      if (IsUtilization(metric_)) requested += static_cast<double>(requests_.at(name));
    }
    Ratio now;
    now.average = static_cast<int64_t>(used / static_cast<double>(groups_.known.size()));
    if (!IsUtilization(metric_)) {
      now.ratio = static_cast<double>(now.average) / static_cast<double>(target_);
      return now;
    }
    if (requested <= 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("the pods request no ", metric_.resource().name()));
    }
    now.percent = static_cast<int>(std::min(used * 100 / requested, 1e9));
    now.ratio = now.percent / static_cast<double>(target_);
    return now;
  }

  void AssumeMissing(double ratio) {
    for (const std::string& name : groups_.missing) {
      if (!IsUtilization(metric_)) {
        groups_.known[name] = ratio < 1 ? target_ : 0;
      } else if (ratio < 1) {
        groups_.known[name] = requests_.at(name) * std::max<int64_t>(100, target_) / 100;
      } else if (ratio > 1) {
        groups_.known[name] = 0;
      }
    }
  }

  void FillStatus(const Ratio& now, v1::MetricStatus* status) const {
    status->set_type(v1::METRIC_SOURCE_TYPE_RESOURCE);
    v1::ResourceMetricStatus* resource = status->mutable_resource();
    resource->set_name(metric_.resource().name());
    v1::MetricValueStatus* value = resource->mutable_current();
    value->set_average_value(IsCpu(metric_) ? FormatMilli(now.average) : FormatBytes(now.average));
    if (IsUtilization(metric_)) value->set_average_utilization(now.percent);
  }

  const v1::MetricSpec& metric_;
  Groups groups_;
  const std::map<std::string, int64_t> requests_;  // of Utilization, by name
  const int64_t target_;                           // percent, or an amount
};

}  // namespace

absl::StatusOr<ReplicaProposal> ProposeReplicas(const std::vector<const v1::Pod*>& pods,
                                                const UsageSample& usage,
                                                const v1::MetricSpec& metric, int current,
                                                Tolerance tolerance, absl::Time now) {
  if (pods.empty()) {
    return absl::FailedPreconditionError("there are no pods yet to calculate a replica count from");
  }
  Groups groups = GroupPods(pods, usage, metric, now);
  if (groups.known.empty()) {
    return absl::FailedPreconditionError(
        "did not receive metrics for targeted pods (pods might be unready)");
  }
  std::map<std::string, int64_t> requests;
  int64_t target = metric.resource().target().average_utilization();
  if (IsUtilization(metric)) {
    for (const v1::Pod* pod : pods) {
      ASSIGN_OR_RETURN(requests[pod->metadata().name()], RequestOfContainers(*pod, metric));
    }
  } else {
    ASSIGN_OR_RETURN(target, AmountOf(metric, metric.resource().target().average_value()));
  }
  return Calculation(metric, std::move(groups), std::move(requests), target)
      .Run(current, tolerance);
}

std::string MetricText(const v1::MetricSpec& metric) {
  return absl::StrCat(metric.resource().name(), " resource",
                      IsUtilization(metric) ? " utilization (percentage of request)" : "");
}

}  // namespace cluster::controller
