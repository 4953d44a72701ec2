#include "node/oci/sub_groups.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "node/oci/paths.h"

namespace cluster::oci {
namespace {

absl::Status Wrong(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("--cgroup ", text, ": ", why));
}

absl::StatusOr<Group> OpenBelow(const node::CgroupLayout* layout, const std::string& container,
                                const std::string& below) {
  ASSIGN_OR_RETURN(Group group, Group::Open(layout, absl::StrCat(container, CleanPath(below))));
  if (!group.empty()) return group;
  return absl::NotFoundError(absl::StrCat("--cgroup ", below, ": no such cgroup"));
}

}  // namespace

absl::StatusOr<SubGroupPaths> ParseSubGroups(const std::vector<std::string>& texts) {
  SubGroupPaths paths;
  for (const std::string& text : texts) {
    const std::vector<std::string> parts = absl::StrSplit(text, ':');
    if (parts.size() > 2) return Wrong(text, "must be PATH or CONTROLLER:PATH");
    for (const absl::string_view part : absl::StrSplit(parts.back(), '/')) {
      if (part == "..") return Wrong(text, absl::StrCat(parts.back(), " is not a sub cgroup path"));
    }
    if (parts.size() == 1 && texts.size() > 1) {
      return Wrong(text, "one of several needs a CONTROLLER: before its path");
    }
    const std::string controllers = parts.size() == 1 ? "" : parts[0];
    for (const absl::string_view controller : absl::StrSplit(controllers, ',')) {
      if (parts.size() == 2 && controller.empty()) return Wrong(text, "a controller has no name");
      if (!paths.emplace(controller, parts.back()).second) {
        return Wrong(text, absl::StrCat("controller ", controller, " has a path already"));
      }
    }
  }
  return paths;
}

absl::StatusOr<ProcessGroups> ProcessGroups::Open(const node::CgroupLayout* layout,
                                                  const std::string& container,
                                                  const SubGroupPaths& paths) {
  ASSIGN_OR_RETURN(Group own, Group::Open(layout, container));
  ProcessGroups groups(std::move(own));
  if (const auto everywhere = paths.find(""); everywhere != paths.end()) {
    ASSIGN_OR_RETURN(Group group, OpenBelow(layout, container, everywhere->second));
    RETURN_IF_ERROR(groups.MoveAll(std::move(group), everywhere->second));
    return groups;
  }
  std::map<const node::V1Hierarchy*, std::string> below_in;
  for (const auto& [controller, below] : paths) {
    const node::V1Hierarchy* hierarchy = layout->V1Of(controller);
    if (hierarchy == nullptr) {
      return Wrong(absl::StrCat(controller, ":", below),
                   absl::StrCat("no cgroup v1 hierarchy holds ", controller,
                                "; on v2 there is one path for all"));
    }
    if (below_in.emplace(hierarchy, below).first->second != below) {
      return Wrong(absl::StrCat(controller, ":", below),
                   "another controller of the same hierarchy has another path");
    }
    ASSIGN_OR_RETURN(Group group, OpenBelow(layout, container, below));
    if (!group.HasV1(controller)) {
      return absl::NotFoundError(
          absl::StrCat("--cgroup ", controller, ":", below, ": no such cgroup"));
    }
    groups.others_.emplace(controller, std::move(group));
  }
  return groups;
}

// Beside v1 hierarchies the v2 group is of ours alone, and what is in the container may not know of
// it: without one of that path, the process stays in the container's own.
absl::Status ProcessGroups::MoveAll(Group to, const std::string& below) {
  ASSIGN_OR_RETURN(const std::vector<UniqueFd> own, own_.OpenTasks());
  ASSIGN_OR_RETURN(const std::vector<UniqueFd> there, to.OpenTasks());
  if (there.size() < own.size()) {
    return absl::NotFoundError(
        absl::StrCat("--cgroup ", below, ": no such cgroup in ", own.size() - there.size(),
                     " of the v1 hierarchies; make it, or name the controllers that have it"));
  }
  everywhere_.emplace(std::move(to));
  return absl::OkStatus();
}

int ProcessGroups::unified_fd() const {
  const int moved = everywhere_ ? everywhere_->unified_fd() : -1;
  return moved >= 0 ? moved : own_.unified_fd();
}

absl::StatusOr<std::vector<UniqueFd>> ProcessGroups::OpenTasks() const {
  if (everywhere_) return everywhere_->OpenTasks();
  ASSIGN_OR_RETURN(std::vector<UniqueFd> tasks, own_.OpenTasks());
  // Later ones move it on from where the earlier ones put it.
  for (const auto& [controller, group] : others_) {
    ASSIGN_OR_RETURN(UniqueFd fd, group.OpenTasksOf(controller));
    tasks.push_back(std::move(fd));
  }
  return tasks;
}

}  // namespace cluster::oci
