// What a pod asks of a node, in numbers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cluster/v1/pod.pb.h"

namespace cluster::controller {

struct HostPort {
  std::string ip;  // "0.0.0.0" where none was given
  v1::Protocol protocol = v1::PROTOCOL_TCP;
  int32_t port = 0;
  bool operator==(const HostPort&) const = default;
};

// Two pods cannot both hold these on one node: same port and protocol, and the same address or one
// of them every address.
bool Clash(const HostPort& a, const HostPort& b);
// "8080/TCP" or "10.0.0.1:8080/TCP".
std::string PortText(const HostPort& port);

// Amounts of everything that is not cpu or memory: disk, huge pages, devices. By name.
using OtherAmounts = std::vector<std::pair<std::string, int64_t>>;

struct PodRequest {
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  OtherAmounts others;  // sorted
  std::vector<HostPort> ports;
  bool operator==(const PodRequest&) const = default;
};

// Of the pod as a whole (proto/schema/pod_resources.h). A missing request counts as the limit; an
// unreadable quantity, which validation does not let in, as more than any node has. With a status,
// a container that is being resized counts with the more of what it is to have and what its node
// says that it has; one whose node says that it never can, with the latter.
PodRequest RequestOf(const v1::PodSpec& spec, const v1::PodStatus* status = nullptr);

}  // namespace cluster::controller
