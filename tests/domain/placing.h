// Words for where a pod wants to be: Pod("web").With(Away("app", "web", "zone")).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cluster/v1/pod.pb.h"

namespace cluster::domain {

using PlacingWords = std::function<void(v1::PodSpec*)>;

// Node affinity. Each Needs is a term of its own: one of them must hold.
PlacingWords Needs(const std::string& key, v1::NodeSelectorOperator op,
                   const std::vector<std::string>& values = {});
PlacingWords NeedsName(v1::NodeSelectorOperator op, const std::string& name);
PlacingWords Prefers(int weight, const std::string& key, const std::string& value);

// Pod affinity to pods labelled key=value, in the pod's own namespace.
PlacingWords Near(const std::string& key, const std::string& value, const std::string& topology);
PlacingWords Away(const std::string& key, const std::string& value, const std::string& topology);
PlacingWords RatherNear(int weight, const std::string& key, const std::string& value,
                        const std::string& topology);
PlacingWords RatherAway(int weight, const std::string& key, const std::string& value,
                        const std::string& topology);

// A spread constraint over pods labelled key=value.
PlacingWords SpreadOver(const std::string& topology, int max_skew, const std::string& key,
                        const std::string& value,
                        v1::UnsatisfiableAction action = v1::UNSATISFIABLE_ACTION_DO_NOT_SCHEDULE);

v1::PodAffinityTerm TermOf(const std::string& key, const std::string& value,
                           const std::string& topology);

}  // namespace cluster::domain
