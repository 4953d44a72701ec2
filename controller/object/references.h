// ConfigMaps and Secrets that a pod is made with. Pure.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/strings/string_view.h"

#include "cluster/v1/pod.pb.h"

namespace cluster::controller {

// Store key of an object of the pod's namespace: "configmaps/default/app", "secrets/default/db".
std::string ConfigMapKey(absl::string_view name_space, absl::string_view name);
std::string SecretKey(absl::string_view name_space, absl::string_view name);

// Every one that `spec` refers to, by store key; true: it may be absent wherever it is used.
std::map<std::string, bool> DataReferences(const v1::PodSpec& spec, absl::string_view name_space);

// Refers to others instead: `other` gets the store key and answers with the name of the one to use,
// "" to leave it.
void RenameDataReferences(absl::string_view name_space,
                          const std::function<std::string(const std::string& key)>& other,
                          v1::PodSpec* spec);

}  // namespace cluster::controller
