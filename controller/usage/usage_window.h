// From counters that nodes read in rounds to what pods use. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cluster/v1/stats.pb.h"
#include "controller/reconcile/pod_usage.h"

namespace cluster::controller {

class UsageWindow {
 public:
  // Two looks that are closer together than this are one.
  static constexpr absl::Duration kShortest = absl::Milliseconds(500);
  // A pod of which nothing was heard for longer is looked at as if for the first time.
  static constexpr absl::Duration kLongest = absl::Minutes(5);

  // The sample that one round gives. CPU is a mean over the time since the round before, by the
  // controller's own clock (`monotonic`): clocks of nodes may jump.
  UsageSample Next(const std::vector<v1::NodeStats>& answers, absl::Time now,
                   absl::Duration monotonic);

 private:
  struct Look {
    int64_t cpu_nanoseconds = 0;
    absl::Duration at;  // of the look that the next one is compared with
    absl::Duration window;
    std::optional<int64_t> cpu_milli;
  };
  static void Compare(int64_t cpu_nanoseconds, absl::Duration monotonic, Look* look);

  std::map<std::string, Look> looks_;  // by uid of pod
  int64_t number_ = 0;
};

}  // namespace cluster::controller
