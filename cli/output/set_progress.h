// How far StatefulSets and DaemonSets are, in kubectl's words. Pure.
#pragma once

#include <string>

#include "cli/output/progress.h"

namespace cluster::cli {

// With OnDelete, which rolls nothing out: whether every pod is ready.
Progress StatefulSetProgress(const v1::StatefulSet& set);
Progress DaemonSetProgress(const v1::DaemonSet& set);

// Why this object has no rollout to follow (its strategy is OnDelete); "" when it has one.
std::string NoRolloutProblem(const v1::Object& object);

}  // namespace cluster::cli
