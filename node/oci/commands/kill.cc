#include <signal.h>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/oci/commands/command.h"
#include "node/oci/names.h"

namespace cluster::oci {
namespace {

constexpr Flag kKillFlags[] = {
    {"all", 'a', Flag::kSwitch, nullptr, "signal every process of the container"}};

absl::StatusOr<int> RunKill(const Call& call) {
  const auto& words = call.arguments.rest();
  const auto signal = words.size() > 1 ? SignalNumber(words[1]) : SIGTERM;
  if (!signal) {
    return absl::InvalidArgumentError(absl::StrCat("'", words[1], "' is no signal"));
  }
  ASSIGN_OR_RETURN(Container container, OpenContainer(call, Container::Locking::kNone));
  RETURN_IF_ERROR(container.Kill(*signal, call.arguments.Has("all")));
  return 0;
}

}  // namespace

const Command kKillCommand = {"kill",
                              "ID [SIGNAL]",
                              1,
                              2,
                              "send a signal (default TERM) to a container's first process",
                              kKillFlags,
                              false,
                              false,
                              RunKill};

}  // namespace cluster::oci
