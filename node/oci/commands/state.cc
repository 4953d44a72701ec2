#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

absl::StatusOr<int> RunState(const Call& call) {
  ASSIGN_OR_RETURN(const Container container, OpenContainer(call, Container::Locking::kNone));
  RETURN_IF_ERROR(Print(absl::StrCat(container.Describe(), "\n")));
  return 0;
}

}  // namespace

const Command kStateCommand = {"state", "ID",  1,     1,       "print a container's state as JSON",
                               {},      false, false, RunState};

}  // namespace cluster::oci
