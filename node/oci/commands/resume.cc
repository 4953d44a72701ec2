#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

absl::StatusOr<int> RunResume(const Call& call) {
  ASSIGN_OR_RETURN(Container container, OpenContainer(call, Container::Locking::kExclusive));
  RETURN_IF_ERROR(container.Resume());
  return 0;
}

}  // namespace

const Command kResumeCommand = {"resume", "ID",  1,     1,        "let a paused container go on",
                                {},       false, false, RunResume};

}  // namespace cluster::oci
