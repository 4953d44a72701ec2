#include "node/oci/commands/start_options.h"

namespace cluster::oci {
namespace {

absl::StatusOr<int> RunCreate(const Call& call) {
  RETURN_IF_ERROR(ContainerStart(StartOptionsOf(call), call.log).Create());
  return 0;
}

}  // namespace

const Command kCreateCommand = {
    "create",    "ID",  1,    1,        "make a container out of a bundle; `start` starts it",
    kStartFlags, false, true, RunCreate};

}  // namespace cluster::oci
