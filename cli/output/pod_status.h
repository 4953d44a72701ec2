// A pod's state in a word, computed as kubectl computes it. Pure.
#pragma once

#include <string>

#include "absl/time/time.h"

#include "cluster/v1/pod.pb.h"

namespace cluster::cli {

struct PodSummary {
  int ready = 0;
  int containers = 0;
  // Running, Pending, Init:0/2, PodInitializing, CrashLoopBackOff, Completed, Error, OOMKilled,
  // Terminating, Unknown (its node is lost), ...
  std::string status;
  int restarts = 0;
  // When a container last ended before its current instance; InfinitePast: never.
  absl::Time last_restart = absl::InfinitePast();
};

PodSummary Summarize(const v1::Pod& pod);

// "3" or "3 (2m ago)".
std::string RestartsText(const PodSummary& summary, absl::Time now);

// True when the condition Ready holds.
bool IsReady(const v1::Pod& pod);

// Running, Waiting or Terminated, with the reason: "Waiting (CrashLoopBackOff)".
std::string StateText(const v1::ContainerState& state);

// The condition of this type, or nullptr.
template <typename Conditions>
const v1::Condition* FindCondition(const Conditions& conditions, const std::string& type) {
  for (const v1::Condition& condition : conditions) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

}  // namespace cluster::cli
