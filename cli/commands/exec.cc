#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/commands/exec_stream.h"
#include "cli/commands/pod_choice.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct ExecFlags {
  std::vector<std::string> words;
  std::string container;
  bool stdin = false;
  bool tty = false;
  bool quiet = false;
};

absl::StatusOr<int> Exec(Session& session, const ExecFlags& flags) {
  if (flags.words.empty()) return UsageError("name a pod: clusterctl exec web-1 -- COMMAND...");
  // kubectl's old form: the command after the pod, without --.
  std::vector<std::string> command(flags.words.begin() + 1, flags.words.end());
  command.insert(command.end(), session.trailing().begin(), session.trailing().end());
  if (command.empty()) {
    return UsageError("name a command after --: clusterctl exec " + flags.words[0] + " -- sh");
  }
  ASSIGN_OR_RETURN(const v1::Pod pod, ChoosePod(session, flags.words[0]));
  v1::ExecStart start;
  start.set_namespace_(pod.metadata().namespace_());
  start.set_pod(pod.metadata().name());
  ASSIGN_OR_RETURN(*start.mutable_container(), ChooseContainer(session, pod, flags.container));
  start.mutable_command()->Assign(command.begin(), command.end());
  start.set_stdin(flags.stdin);
  start.set_tty(flags.tty);
  if (flags.tty && isatty(session.terminal().input) != 1) {
    session.err() << "Unable to use a TTY - input is not a terminal\n";
    start.set_tty(false);
  }
  ASSIGN_OR_RETURN(const int code, RunExec(session, std::move(start)));
  if (code != 0 && !flags.quiet) {
    session.err() << "command terminated with exit code " << code << "\n";
  }
  return code;
}

}  // namespace

void AddExec(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "exec", "Runs a command in a container and passes its exit code on",
                 "clusterctl exec web-1 -- cat /etc/hostname\n"
                 "clusterctl exec -it web-1 -c nginx -- sh\n"
                 "tar c . | clusterctl exec -i deploy/web -- tar x -C /srv");
  auto flags = std::make_shared<ExecFlags>();
  command->add_option("pod", flags->words, "POD, pod/NAME or deploy/NAME, then -- COMMAND...");
  command->add_option("-c,--container", flags->container, "Which container (default: the first)");
  command->add_flag("-i,--stdin", flags->stdin, "Pass standard input on");
  command->add_flag("-t,--tty", flags->tty, "Standard input is a terminal");
  command->add_flag("-q,--quiet", flags->quiet, "Say nothing about an exit code other than 0");
  session.OnCommand(
      command, [&session, flags] { return Exec(session, *flags); }, /*takes_trailing=*/true);
}

}  // namespace cluster::cli
