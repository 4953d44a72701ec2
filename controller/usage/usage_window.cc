#include "controller/usage/usage_window.h"

namespace cluster::controller {

void UsageWindow::Compare(int64_t cpu_nanoseconds, absl::Duration monotonic, Look* look) {
  const absl::Duration window = monotonic - look->at;
  if (window < kShortest) return;
  const int64_t used = cpu_nanoseconds - look->cpu_nanoseconds;
  look->cpu_milli = std::nullopt;
  // A counter that went back is another one: the pod's group was made anew.
  if (used >= 0 && window <= kLongest) {
    look->cpu_milli =
        static_cast<int64_t>(1000 * absl::FDivDuration(absl::Nanoseconds(used), window));
  }
  look->window = window;
  look->cpu_nanoseconds = cpu_nanoseconds;
  look->at = monotonic;
}

UsageSample UsageWindow::Next(const std::vector<v1::NodeStats>& answers, absl::Time now,
                              absl::Duration monotonic) {
  UsageSample sample;
  sample.number = ++number_;
  for (const v1::NodeStats& node : answers) {
    for (const v1::PodStats& pod : node.pods()) {
      const int64_t cpu = pod.resources().cpu_nanoseconds();
      const auto [look, first] =
          looks_.insert({pod.uid(), Look{cpu, monotonic, absl::ZeroDuration(), std::nullopt}});
      if (!first) Compare(cpu, monotonic, &look->second);
      PodUsage& usage = sample.pods[pod.uid()];
      usage.cpu_milli = look->second.cpu_milli;
      usage.memory_bytes = pod.resources().memory_working_set_bytes();
      usage.at = now;
      usage.window = look->second.window;
    }
  }
  for (auto look = looks_.begin(); look != looks_.end();) {
    look = monotonic - look->second.at > kLongest ? looks_.erase(look) : std::next(look);
  }
  return sample;
}

}  // namespace cluster::controller
