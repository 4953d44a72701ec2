#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

constexpr Flag kDeleteFlags[] = {
    {"force", 'f', Flag::kSwitch, nullptr, "kill what runs; no error when there is no container"}};

absl::StatusOr<int> RunDelete(const Call& call) {
  const bool force = call.arguments.Has("force");
  auto container = OpenContainer(call, Container::Locking::kExclusive);
  if (!container.ok() && force && absl::IsNotFound(container.status())) {
    // Perhaps a start was killed before it had recorded anything: then nothing is made yet.
    auto directory = ContainerDirectory::Open(call.root, call.arguments.rest()[0]);
    if (directory.ok()) RETURN_IF_ERROR(directory->Remove());
    return 0;
  }
  RETURN_IF_ERROR(container.status());
  RETURN_IF_ERROR(container->Delete(force, call.log));
  return 0;
}

}  // namespace

const Command kDeleteCommand = {
    "delete",     "ID",  1,     1,        "remove a container and all that was made for it",
    kDeleteFlags, false, false, RunDelete};

}  // namespace cluster::oci
