// What a pod asks of a node's labels and name: nodeSelector and node affinity.
#pragma once

#include <cstdint>

#include "cluster/v1/node.pb.h"
#include "cluster/v1/pod.pb.h"

namespace cluster::controller {

bool MatchesNodeSelector(const v1::PodSpec& spec, const v1::Node& node);

// Required node affinity: one of its terms holds, or there is none.
bool MatchesNodeAffinity(const v1::PodSpec& spec, const v1::Node& node);

// A term without requirements matches nothing.
bool MatchesNodeTerm(const v1::NodeSelectorTerm& term, const v1::Node& node);

// Weights of the preferred terms that hold, added up.
int64_t NodePreference(const v1::PodSpec& spec, const v1::Node& node);

}  // namespace cluster::controller
