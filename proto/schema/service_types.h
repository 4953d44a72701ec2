// What the type of a Service means. Pure.
#pragma once

#include "absl/strings/string_view.h"

#include "cluster/v1/service.pb.h"

namespace cluster {

// The clusterIP of a headless service.
inline constexpr absl::string_view kNoAddress = "None";

inline bool IsHeadless(const v1::ServiceSpec& spec) { return spec.cluster_ip() == kNoAddress; }

// Those that stand for pods, with an address or headless; the others are names of something else.
// One without a type is a ClusterIP.
inline bool IsOfPods(const v1::ServiceSpec& spec) {
  return spec.type() != v1::SERVICE_TYPE_EXTERNAL_NAME;
}

// Has an address of its own, or gets one.
inline bool TakesAddress(const v1::ServiceSpec& spec) {
  return IsOfPods(spec) && !IsHeadless(spec);
}

// Has a port of every node for each of its ports, or gets them.
inline bool TakesNodePorts(const v1::ServiceSpec& spec) {
  return spec.type() == v1::SERVICE_TYPE_NODE_PORT || spec.type() == v1::SERVICE_TYPE_LOAD_BALANCER;
}

}  // namespace cluster
