// What the tests of a running cluster talk about: manifests, pods, what they print.
#pragma once

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace cluster::e2e {

// A Deployment of busybox pods; `script` runs with sh -c.
struct DeploymentText {
  std::string name;
  int replicas = 3;
  std::string image = "busybox:1";
  std::string script = "exec sleep 100000";
  std::string extra_spec = "";  // lines below spec:, indented by two
  std::string mounts = "";      // lines of the container, indented by ten
  std::string volumes = "";     // lines of the pod's spec, indented by six
  std::string Yaml() const;
};

// A bare pod.
struct PodText {
  std::string name;
  std::string script = "exec sleep 100000";
  std::string restart_policy = "Always";
  std::string extra_container = "";  // lines of the container, indented by six
  std::string extra_spec = "";       // lines below spec:, indented by two
  std::string Yaml() const;
};

// Loads busybox as busybox:1 and busybox:2; once.
void LoadBusybox();

// `clusterctl apply -f -`; the test fails unless it is done.
std::string Apply(const std::string& yaml);

nlohmann::json GetJson(const std::vector<std::string>& arguments);
// Pods with label app=NAME that are not being deleted.
std::vector<nlohmann::json> PodsOf(const std::string& app);
nlohmann::json PodNamed(const std::string& name);

bool IsReady(const nlohmann::json& pod);
std::string Phase(const nlohmann::json& pod);
// Of the first container.
int RestartCount(const nlohmann::json& pod);
int64_t PidOf(const nlohmann::json& pod);

// Waits until the app has this many ready pods and no other; false after `seconds`.
bool WaitReady(const std::string& app, size_t count, int seconds = 30);
bool WaitPhase(const std::string& pod, const std::string& phase, int seconds = 30);
// Deletes and waits until it is gone.
void Delete(const std::string& kind, const std::string& name);

}  // namespace cluster::e2e
