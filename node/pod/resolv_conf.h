// A pod's resolv.conf(5), by its dnsPolicy and dnsConfig. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/pod.pb.h"

namespace cluster::node {

struct ResolverConfig {
  std::vector<std::string> nameservers;
  std::vector<std::string> searches;
  std::vector<std::pair<std::string, std::string>> options;  // name, ":value" or ""
};

// What is no such line is left out.
ResolverConfig ParseResolvConf(absl::string_view text);

// How names are found on this node.
struct NodeResolver {
  std::string resolv_conf;  // the content of the node's own file
  // Of the cluster's name server here; empty: not yet.
  std::string cluster_server;
  std::string cluster_domain = "cluster.local";
};

// The whole file. Unavailable: it takes the cluster's name server, and there is none yet.
absl::StatusOr<std::string> ResolvConf(const v1::Pod& pod, const NodeResolver& resolver);

}  // namespace cluster::node
