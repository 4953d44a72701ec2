// When it is in the tests of the pure rooms.
#pragma once

#include "absl/time/time.h"

namespace cluster::controller {

inline const absl::Time kNow = absl::FromUnixSeconds(10'000);

}  // namespace cluster::controller
