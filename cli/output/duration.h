// Ages as people read them.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace cluster::cli {

// As kubectl prints ages: 45s, 3m20s, 15m, 4h10m, 2d3h, 90d, 3y20d. A negative one is "0s".
std::string HumanDuration(absl::Duration duration);

// The age of something made at `time`; "<unknown>" for a time that is not set.
std::string Age(const google::protobuf::Timestamp& time, absl::Time now);

}  // namespace cluster::cli
