#include "controller/api/lookup.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "controller/object/object_fields.h"

namespace cluster::controller {
namespace {

std::string WhyPending(const v1::PodStatus& status) {
  for (const v1::Condition& condition : status.conditions()) {
    if (condition.type() == "PodScheduled" && !condition.message().empty()) {
      return absl::StrCat(": ", condition.message());
    }
  }
  return "";
}

absl::StatusOr<std::string> PickContainer(const v1::Pod& pod, const std::string& wanted) {
  const v1::PodSpec& spec = pod.spec();
  std::vector<std::string> names;
  for (const auto& container : spec.containers()) names.push_back(container.name());
  for (const auto& container : spec.init_containers()) names.push_back(container.name());
  for (const auto& container : spec.ephemeral_containers()) names.push_back(container.name());
  const std::string& name = pod.metadata().name();
  if (wanted.empty()) {
    if (spec.containers_size() == 1) return names.front();
    return absl::InvalidArgumentError(absl::StrCat(
        "pod/", name, " has several containers: name one of ", absl::StrJoin(names, ", ")));
  }
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return wanted;
  return absl::InvalidArgumentError(absl::StrCat("pod/", name, " has no container \"", wanted,
                                                 "\": it has ", absl::StrJoin(names, ", ")));
}

absl::Status CheckNode(const Cache& cache, const v1::Pod& pod) {
  const std::string& name = pod.spec().node_name();
  const EntryPtr node = cache.Find(v1::Object::kNode, "", name);
  if (node != nullptr && NodeIsReady(node->object.node())) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("pod/", pod.metadata().name(), " is on node/", name,
                                             ", which is not reachable now: see `get nodes`"));
}

// It is on a node that can be reached and, if it must run, has not ended.
absl::Status CheckPlace(const Cache& cache, const v1::Pod& pod, bool must_run) {
  const std::string& name = pod.metadata().name();
  if (pod.spec().node_name().empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("pod/", name, " has no node yet", WhyPending(pod.status())));
  }
  const v1::PodPhase phase = pod.status().phase();
  if (must_run && (phase == v1::POD_PHASE_SUCCEEDED || phase == v1::POD_PHASE_FAILED)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "pod/", name, " has ended (", phase == v1::POD_PHASE_SUCCEEDED ? "Succeeded" : "Failed",
        "): nothing runs in it"));
  }
  return CheckNode(cache, pod);
}

}  // namespace

absl::StatusOr<const Kind*> FindKindOrSay(const std::string& word) {
  const Kind* kind = FindKind(word);
  if (kind != nullptr) return kind;
  if (IsKnownButNotYet(word)) {
    return absl::InvalidArgumentError(absl::StrCat("kind \"", word, "\" is not supported yet"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no kind \"", word, "\": see `api-resources`"));
}

absl::StatusOr<EntryPtr> FindObject(const Cache& cache, const std::string& kind_name,
                                    const std::string& name_space, const std::string& name) {
  ASSIGN_OR_RETURN(const Kind* kind, FindKindOrSay(kind_name));
  const std::string space = !kind->namespaced ? "" : name_space.empty() ? "default" : name_space;
  EntryPtr found = cache.Find(kind->object_case, space, name);
  if (found != nullptr) return found;
  if (space.empty()) {
    return absl::NotFoundError(absl::StrCat(kind->singular, " \"", name, "\" not found"));
  }
  return absl::NotFoundError(
      absl::StrCat(kind->singular, " \"", name, "\" not found in namespace \"", space, "\""));
}

absl::StatusOr<PodTarget> FindPodTarget(const Cache& cache, const std::string& name_space,
                                        const std::string& pod_name, const std::string& container,
                                        bool must_run) {
  PodTarget target;
  ASSIGN_OR_RETURN(target.pod, FindObject(cache, "Pod", name_space, pod_name));
  ASSIGN_OR_RETURN(target.container, PickContainer(target.pod->object.pod(), container));
  RETURN_IF_ERROR(CheckPlace(cache, target.pod->object.pod(), must_run));
  target.node = target.pod->object.pod().spec().node_name();
  return target;
}

absl::StatusOr<PodTarget> FindRunningPod(const Cache& cache, const std::string& name_space,
                                         const std::string& pod_name) {
  PodTarget target;
  ASSIGN_OR_RETURN(target.pod, FindObject(cache, "Pod", name_space, pod_name));
  RETURN_IF_ERROR(CheckPlace(cache, target.pod->object.pod(), /*must_run=*/true));
  target.node = target.pod->object.pod().spec().node_name();
  return target;
}

}  // namespace cluster::controller
