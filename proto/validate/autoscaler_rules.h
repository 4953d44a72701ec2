// HorizontalPodAutoscalers: what they leave out, and what they may say.
#pragma once

#include "cluster/v1/object.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// Of stabilizationWindowSeconds and periodSeconds.
inline constexpr int kLongestWindowSeconds = 3600;
inline constexpr int kLongestPeriodSeconds = 1800;

void DefaultAutoscaler(v1::HorizontalPodAutoscalerSpec* spec);
// Rules of both directions in full: what an autoscaler without `behavior` goes by, too.
void DefaultBehavior(v1::ScalingBehavior* behavior);

void CheckAutoscaler(const v1::HorizontalPodAutoscalerSpec& spec, Findings* findings);

}  // namespace cluster
