#include "node/oci/exec.h"

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/oci/bundle.h"
#include "node/oci/commands/command.h"
#include "node/oci/exec_process.h"

namespace cluster::oci {
namespace {

absl::StatusOr<Process> ProcessOf(const Call& call, const Process& base) {
  const auto& words = call.arguments.rest();
  if (!call.arguments.Has("process")) {
    return ExecProcessOf(call.arguments, {words.begin() + 1, words.end()}, base);
  }
  const std::string path = call.arguments.Text("process");
  std::vector<std::string> warnings;
  auto process = ReadProcess(call.process_text, &warnings);
  if (!process.ok()) return Annotate(process.status(), path);
  for (const std::string& warning : warnings) call.log->Warn(warning);
  if (call.arguments.Has("tty")) process->terminal = true;
  return process;
}

absl::StatusOr<int> RunExec(const Call& call) {
  ExecOptions options;
  options.preserved_fds = call.preserved_fds;
  options.pid_file = call.arguments.Text("pid-file");
  options.console_socket = call.arguments.Text("console-socket");
  ASSIGN_OR_RETURN(options.sub_groups, ParseSubGroups(call.arguments.Texts("cgroup")));
  options.detach = call.arguments.Has("detach");
  options.ignore_paused = call.arguments.Has("ignore-paused");
  ASSIGN_OR_RETURN(Container container, OpenContainer(call, Container::Locking::kNone));
  ASSIGN_OR_RETURN(const Config config, container.ReadConfig());
  ASSIGN_OR_RETURN(const Process process, ProcessOf(call, *config.process));
  RETURN_IF_ERROR(CheckMachine(process));
  return Exec(&container, config, process, options, call.log);
}

}  // namespace

const Command kExecCommand = {"exec",
                              "ID COMMAND [ARGUMENT...]",
                              1,
                              SIZE_MAX,
                              "run another process in a running container",
                              ExecFlags(),
                              true,
                              true,
                              RunExec,
                              255};  // beside every code that the process itself may have

}  // namespace cluster::oci
