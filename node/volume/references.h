// What a pod's variables and files are taken from: ConfigMaps, Secrets, its own fields, resources
// of its containers. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/session.pb.h"

namespace cluster::node {

// What the downward API may ask for beyond the pod itself.
struct NodeContext {
  std::string node_name;
  std::string host_ip;
  std::string pod_ip;
  // What the node has for pods, as in its status: the limits of containers that have none.
  std::map<std::string, std::string> allocatable = {};
  // Those of the pod's namespace, without backends.
  std::vector<v1::ServiceRoute> services = {};
  std::string cluster_domain = "cluster.local";
};

// Of the pod's namespace; nullptr when the assignment came without it.
const v1::ConfigMap* FindConfigMap(const v1::Assignment& assignment, const std::string& name);
const v1::Secret* FindSecret(const v1::Assignment& assignment, const std::string& name);
const v1::PersistentVolumeClaim* FindClaim(const v1::Assignment& assignment,
                                           const std::string& name);

// FailedPrecondition that names it.
absl::Status MissingReference(absl::string_view kind, const v1::Assignment& assignment,
                              absl::string_view name);

// fieldRef. FailedPrecondition for a path that is none.
absl::StatusOr<std::string> FieldValue(const v1::Pod& pod, const std::string& path,
                                       const NodeContext& context);

// resourceFieldRef, in units of its divisor and rounded up. `container` where it names none.
absl::StatusOr<std::string> ResourceValue(const v1::PodSpec& spec,
                                          const v1::ResourceFieldSelector& selector,
                                          const std::string& container, const NodeContext& context);

}  // namespace cluster::node
