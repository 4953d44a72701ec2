#include "cli/commands/pod_choice.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/targets.h"
#include "cli/output/pod_status.h"
#include "cli/output/rows.h"

#include "base/status.h"
#include "proto/schema/scalars.h"

namespace cluster::cli {
namespace {

// Ready ones first, then running ones, then the youngest; names decide between twins.
bool IsBetter(const v1::Object& a, const v1::Object& b) {
  const auto rank = [](const v1::Pod& pod) {
    return std::make_tuple(pod.metadata().has_deletion_timestamp(), !IsReady(pod),
                           pod.status().phase() != v1::POD_PHASE_RUNNING,
                           -absl::ToUnixNanos(ToTime(pod.metadata().creation_timestamp())),
                           pod.metadata().name());
  };
  return rank(a.pod()) < rank(b.pod());
}

absl::StatusOr<std::string> SelectorOf(const Target& target, const v1::Object& owner) {
  if (owner.has_deployment()) return SelectorText(owner.deployment().spec().selector());
  if (owner.has_replica_set()) return SelectorText(owner.replica_set().spec().selector());
  if (owner.has_stateful_set()) return SelectorText(owner.stateful_set().spec().selector());
  if (owner.has_daemon_set()) return SelectorText(owner.daemon_set().spec().selector());
  if (owner.has_job()) return SelectorText(owner.job().spec().selector());
  if (owner.has_service()) {
    if (!owner.service().spec().selector().empty()) {
      return LabelsText(owner.service().spec().selector());
    }
    return absl::FailedPreconditionError(absl::StrCat(TargetText(*target.kind, target.name),
                                                      " has no selector, so no pods; name a pod"));
  }
  return UsageError(absl::StrCat("a ", target.kind->singular, " has no pods; name a pod"));
}

}  // namespace

absl::StatusOr<v1::Pod> ChoosePod(Session& session, const std::string& word) {
  ASSIGN_OR_RETURN(const Target target, ParseOneTarget({word}, "Pod"));
  ASSIGN_OR_RETURN(v1::Object object, FetchOne(session, target));
  if (object.has_pod()) return std::move(*object.mutable_pod());
  Selection selection;
  selection.targets = {{FindKind("Pod"), ""}};
  ASSIGN_OR_RETURN(selection.label_selector, SelectorOf(target, object));
  ASSIGN_OR_RETURN(Found pods, Fetch(session, selection));
  if (pods.objects.empty()) {
    return absl::NotFoundError(absl::StrCat(TargetText(*target.kind, target.name),
                                            " has no pods; see clusterctl describe ",
                                            TargetText(*target.kind, target.name)));
  }
  std::sort(pods.objects.begin(), pods.objects.end(), IsBetter);
  v1::Pod& chosen = *pods.objects[0].mutable_pod();
  if (pods.objects.size() > 1) {
    session.err() << "Found " << pods.objects.size() << " pods, using pod/"
                  << chosen.metadata().name() << "\n";
  }
  return std::move(chosen);
}

std::vector<ContainerName> ContainerNames(const v1::Pod& pod) {
  std::vector<ContainerName> names;
  for (const auto& container : pod.spec().containers()) names.push_back({container.name(), ""});
  for (const auto& container : pod.spec().init_containers()) {
    names.push_back({container.name(), " (init)"});
  }
  for (const auto& container : pod.spec().ephemeral_containers()) {
    names.push_back({container.name(), " (ephem)"});
  }
  return names;
}

absl::StatusOr<std::string> ChooseContainer(Session& session, const v1::Pod& pod,
                                            const std::string& wanted) {
  const std::vector<ContainerName> names = ContainerNames(pod);
  const std::string all = absl::StrJoin(names, ", ", [](std::string* out, const auto& each) {
    absl::StrAppend(out, each.name, each.kind);
  });
  if (!wanted.empty()) {
    for (const ContainerName& each : names) {
      if (each.name == wanted) return wanted;
    }
    return absl::InvalidArgumentError(absl::StrCat("container \"", wanted, "\" is not in pod \"",
                                                   pod.metadata().name(), "\"; it has: ", all));
  }
  if (names.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("pod \"", pod.metadata().name(), "\" has no containers"));
  }
  if (names.size() > 1) {
    session.err() << "Defaulted container \"" << names[0].name << "\" out of: " << all << "\n";
  }
  return names[0].name;
}

}  // namespace cluster::cli
