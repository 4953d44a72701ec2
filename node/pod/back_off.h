// How long a container that ended waits before it is started again.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace cluster::node {

inline constexpr int64_t kFirstBackOffSeconds = 1;
inline constexpr int64_t kLongestBackOffSeconds = 60;
// An instance that ran this long counts as stable: the row of failures begins anew.
inline constexpr int64_t kStableSeconds = 600;

// After `ends` ends in a row: 1, 2, 4, ... 60 seconds.
constexpr int64_t BackOffSeconds(int32_t ends) {
  int64_t seconds = kFirstBackOffSeconds;
  for (int32_t i = 1; i < ends && seconds < kLongestBackOffSeconds; ++i) seconds *= 2;
  return seconds < kLongestBackOffSeconds ? seconds : kLongestBackOffSeconds;
}

static_assert(BackOffSeconds(1) == 1 && BackOffSeconds(2) == 2 && BackOffSeconds(6) == 32);
static_assert(BackOffSeconds(7) == 60 && BackOffSeconds(1'000'000) == 60);

inline absl::Duration BackOff(int32_t ends) { return absl::Seconds(BackOffSeconds(ends)); }

}  // namespace cluster::node
