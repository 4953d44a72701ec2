#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/oci/cgroup_plan.h"
#include "node/oci/commands/command.h"
#include "node/oci/update_resources.h"

namespace cluster::oci {
namespace {

absl::StatusOr<Resources> BaseOf(const Call& call) {
  const std::string path = call.arguments.Text("resources");
  if (path.empty()) return Resources();
  ASSIGN_OR_RETURN(const std::string text, ReadInput(path));
  auto resources = ReadResources(text);
  if (!resources.ok()) return Annotate(resources.status(), path);
  // Callers hand all of a container's resources on and mean the numbers: the devices stay as they
  // were made.
  resources->devices.clear();
  return resources;
}

// checkBeforeUpdate: rather an error than an OOM kill.
absl::Status CheckUsage(const Container& container, const MemoryResources& memory) {
  if (!memory.check_before_update || !memory.limit || *memory.limit < 0) return absl::OkStatus();
  bool v2 = false;
  const int directory = container.group().DirectoryOf("memory", &v2);
  if (directory < 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFileAt(directory, v2 ? "memory.current" : "memory.usage_in_bytes"));
  int64_t used = 0;
  if (absl::SimpleAtoi(text, &used) && used > *memory.limit) {
    return absl::FailedPreconditionError(absl::StrCat(
        "memory.limit ", *memory.limit, " is below what the container uses now (", used, ")"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> RunUpdate(const Call& call) {
  ASSIGN_OR_RETURN(Resources base, BaseOf(call));
  ASSIGN_OR_RETURN(const Resources resources, UpdatedResources(call.arguments, std::move(base)));
  ASSIGN_OR_RETURN(const Container container, OpenContainer(call, Container::Locking::kExclusive));
  if (container.status() == Status::kStopped) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot update container ", container.state().id, ": it is stopped"));
  }
  RETURN_IF_ERROR(CheckUsage(container, resources.memory));
  ASSIGN_OR_RETURN(const std::vector<GroupWrite> writes,
                   PlanResources(container.layout(), resources));
  RETURN_IF_ERROR(container.group().Apply(writes));
  return 0;
}

}  // namespace

const Command kUpdateCommand = {
    "update",      "ID",  1,     1,        "change what a container may use",
    UpdateFlags(), false, false, RunUpdate};

}  // namespace cluster::oci
