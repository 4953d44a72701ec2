// Objects for tests, in the words of manifests.
#pragma once

#include <string>

#include "cluster/v1/object.pb.h"
#include "controller/reconcile/pod_state.h"

namespace cluster::controller {

v1::Object MakePod(const std::string& name, const std::string& image = "app:1");
v1::Object MakeConfigMap(const std::string& name, const std::string& key, const std::string& value);
v1::Object MakeNamespace(const std::string& name);

class DeploymentBuilder {
 public:
  explicit DeploymentBuilder(const std::string& name);
  DeploymentBuilder& Replicas(int replicas);
  DeploymentBuilder& Image(const std::string& image);
  DeploymentBuilder& Rolling(const std::string& max_surge, const std::string& max_unavailable);
  DeploymentBuilder& GraceSeconds(int64_t seconds);
  v1::Object Build() const { return object_; }

 private:
  v1::Object object_;
};

}  // namespace cluster::controller
