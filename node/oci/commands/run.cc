#include "node/oci/commands/start_options.h"

namespace cluster::oci {
namespace {

absl::StatusOr<int> RunRun(const Call& call) {
  return ContainerStart(StartOptionsOf(call), call.log)
      .Run(call.arguments.Has("detach"), call.arguments.Has("keep"));
}

}  // namespace

StartOptions StartOptionsOf(const Call& call) {
  StartOptions options;
  options.root = call.root;
  options.id = call.arguments.rest()[0];
  options.bundle = call.arguments.Text("bundle");
  if (call.arguments.Has("config")) options.config = call.arguments.Text("config");
  options.pid_file = call.arguments.Text("pid-file");
  options.console_socket = call.arguments.Text("console-socket");
  options.preserved_fds = call.preserved_fds;
  options.no_pivot = call.arguments.Has("no-pivot");
  options.new_keyring = !call.arguments.Has("no-new-keyring");
  return options;
}

const Command kRunCommand = {
    "run", "ID", 1, 1, "make a container and start it at once", kStartFlags, false, true, RunRun};

}  // namespace cluster::oci
