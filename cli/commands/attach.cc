#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/commands/exec_stream.h"
#include "cli/commands/pod_choice.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct AttachFlags {
  std::string pod;
  std::string container;
  bool stdin = false;
  bool tty = false;
};

absl::Status Attach(Session& session, const AttachFlags& flags) {
  if (flags.pod.empty()) return UsageError("name a pod: clusterctl attach web-1 -it");
  ASSIGN_OR_RETURN(const v1::Pod pod, ChoosePod(session, flags.pod));
  ASSIGN_OR_RETURN(const std::string container, ChooseContainer(session, pod, flags.container));
  v1::ExecStart start = AttachStart(session, pod, container, flags.stdin, flags.tty);
  // kubectl's: whoever only watches is told nothing of how it ended.
  return RunExec(session, std::move(start)).status();
}

}  // namespace

void AddAttach(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "attach",
                 "Joins a container that runs: shows what it writes, passes on what you type. "
                 "With a terminal Ctrl-P Ctrl-Q leaves; it runs on in any case",
                 "clusterctl attach web-1\n"
                 "clusterctl attach -it shell -c main");
  auto flags = std::make_shared<AttachFlags>();
  command->add_option("pod", flags->pod, "POD, pod/NAME or deploy/NAME");
  command->add_option("-c,--container", flags->container, "Which container (default: the first)");
  command->add_flag("-i,--stdin", flags->stdin, "Pass standard input on");
  command->add_flag("-t,--tty", flags->tty, "Standard input is a terminal");
  session.OnCommand(command, [&session, flags] { return Attach(session, *flags); });
}

}  // namespace cluster::cli
