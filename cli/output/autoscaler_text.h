// HorizontalPodAutoscalers in words. Pure.
#pragma once

#include <string>

#include "cluster/v1/horizontalpodautoscaler.pb.h"

namespace cluster::cli {

// "Deployment/web"
std::string ScaleTargetText(const v1::HorizontalPodAutoscaler& autoscaler);

// "cpu: 35%/80%, memory: 40Mi/100Mi"; of more than two metrics the first two and how many more
// there are.
std::string TargetsText(const v1::HorizontalPodAutoscaler& autoscaler);

// Of one metric: what pods use now, "<unknown>" where that is not known, and what they should.
struct MetricText {
  std::string current;
  std::string raw;  // with a percentage: the amount that it is
  std::string target;
};
MetricText TextOf(const v1::HorizontalPodAutoscaler& autoscaler, const v1::MetricSpec& metric);

}  // namespace cluster::cli
