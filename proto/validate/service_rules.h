// Services: what they leave out, and what they may say. What only the controller knows (its ranges,
// what others hold) is in controller/services.
#pragma once

#include "cluster/v1/object.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// Of sessionAffinityConfig.clientIP.timeoutSeconds.
inline constexpr int kLongestAffinitySeconds = 86400;

void DefaultService(v1::ServiceSpec* spec);
void CheckService(const v1::ServiceSpec& spec, Findings* findings);
void CheckServiceKept(const v1::ServiceSpec& before, const v1::ServiceSpec& after,
                      Findings* findings);

}  // namespace cluster
