#include "tests/e2e/domain.h"

#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

#include "tests/e2e/docker_archive.h"
#include "tests/e2e/local_fixture.h"

namespace cluster::e2e {

std::string DeploymentText::Yaml() const {
  return absl::StrReplaceAll(R"(apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
spec:
  replicas: REPLICAS
EXTRA  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: IMAGE
          command: [sh, -c, 'SCRIPT']
MOUNTSVOLUMES)",
                             {{"NAME", name},
                              {"MOUNTS", mounts},
                              {"VOLUMES", volumes},
                              {"REPLICAS", absl::StrCat(replicas)},
                              {"IMAGE", image},
                              {"EXTRA", extra_spec},
                              {"SCRIPT", absl::StrReplaceAll(script, {{"'", "''"}})}});
}

std::string PodText::Yaml() const {
  return absl::StrReplaceAll(R"(apiVersion: v1
kind: Pod
metadata:
  name: NAME
  labels: {app: NAME}
spec:
  restartPolicy: POLICY
  terminationGracePeriodSeconds: 1
EXTRA  containers:
    - name: main
      image: busybox:1
      command: [sh, -c, 'SCRIPT']
MORE)",
                             {{"NAME", name},
                              {"POLICY", restart_policy},
                              {"EXTRA", extra_spec},
                              {"MORE", extra_container},
                              {"SCRIPT", absl::StrReplaceAll(script, {{"'", "''"}})}});
}

void LoadBusybox() {
  static bool loaded = false;
  if (loaded) return;
  for (const char* tag : {"1", "2"}) {
    const std::string path = absl::StrCat("/tmp/cluster-e2e-", getpid(), "-busybox.tar");
    std::vector<ArchiveFile> files = BusyboxFiles();
    files.push_back({"etc/version", tag, 0644});
    WriteDockerArchive(path, absl::StrCat("busybox:", tag), files);
    CtlOut({"image", "load", path});
    std::filesystem::remove(path);
  }
  loaded = true;
}

std::string Apply(const std::string& yaml) { return CtlOut({"apply", "-f", "-"}, yaml); }

nlohmann::json GetJson(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"get"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.insert(command.end(), {"-o", "json"});
  const Outcome outcome = Ctl(command);
  if (outcome.exit_code != 0) return nlohmann::json();
  return nlohmann::json::parse(outcome.out, nullptr, false);
}

std::vector<nlohmann::json> PodsOf(const std::string& app) {
  std::vector<nlohmann::json> pods;
  const nlohmann::json list = GetJson({"pods", "-l", "app=" + app});
  if (!list.contains("items")) return pods;
  for (const auto& pod : list["items"]) {
    if (!pod["metadata"].contains("deletionTimestamp")) pods.push_back(pod);
  }
  return pods;
}

nlohmann::json PodNamed(const std::string& name) { return GetJson({"pod", name}); }

bool IsReady(const nlohmann::json& pod) {
  if (!pod.contains("status") || !pod["status"].contains("conditions")) return false;
  for (const auto& condition : pod["status"]["conditions"]) {
    if (condition["type"] == "Ready") return condition["status"] == "True";
  }
  return false;
}

std::string Phase(const nlohmann::json& pod) {
  return pod.contains("status") ? pod["status"].value("phase", "") : "";
}

// What a pod's status has there, or `missing`: nothing is known of a new pod.
template <typename Value>
Value At(const nlohmann::json& pod, const std::string& path, Value missing) {
  const nlohmann::json::json_pointer pointer(path);
  return pod.contains(pointer) ? pod[pointer].get<Value>() : missing;
}

int RestartCount(const nlohmann::json& pod) {
  return At(pod, "/status/containerStatuses/0/restartCount", 0);
}

int64_t PidOf(const nlohmann::json& pod) {
  return At(pod, "/status/containerStatuses/0/state/running/pid", int64_t{0});
}

bool WaitReady(const std::string& app, size_t count, int seconds) {
  const auto ready = [&] {
    const std::vector<nlohmann::json> pods = PodsOf(app);
    return pods.size() == count && std::all_of(pods.begin(), pods.end(), IsReady);
  };
  if (Eventually(ready, absl::Seconds(seconds))) return true;
  ADD_FAILURE() << Ctl({"get", "pods", "-o", "wide"}).out
                << Ctl({"describe", "pods", "-l", "app=" + app}).out;
  return false;
}

bool WaitPhase(const std::string& pod, const std::string& phase, int seconds) {
  if (Eventually([&] { return Phase(PodNamed(pod)) == phase; }, absl::Seconds(seconds)))
    return true;
  ADD_FAILURE() << Ctl({"describe", "pod", pod}).out;
  return false;
}

void Delete(const std::string& kind, const std::string& name) {
  CtlOut({"delete", kind, name, "--timeout", "60s"});
}

}  // namespace cluster::e2e
