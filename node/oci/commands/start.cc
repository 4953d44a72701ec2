#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

absl::StatusOr<int> RunStart(const Call& call) {
  ASSIGN_OR_RETURN(Container container, OpenContainer(call, Container::Locking::kExclusive));
  RETURN_IF_ERROR(container.Start(call.log));
  return 0;
}

}  // namespace

const Command kStartCommand = {"start", "ID",  1,     1,       "start a created container",
                               {},      false, false, RunStart};

}  // namespace cluster::oci
