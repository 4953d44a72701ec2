#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

absl::StatusOr<int> RunPause(const Call& call) {
  ASSIGN_OR_RETURN(Container container, OpenContainer(call, Container::Locking::kExclusive));
  RETURN_IF_ERROR(container.Pause());
  return 0;
}

}  // namespace

const Command kPauseCommand = {
    "pause", "ID",  1,     1,       "let every process of a container stand still",
    {},      false, false, RunPause};

}  // namespace cluster::oci
