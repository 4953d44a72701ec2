#include "cli/program.h"

#include "cli/commands/commands.h"
#include "cli/local/local_commands.h"

namespace cluster::cli {
namespace {

constexpr char kExamples[] = R"(Examples:
  clusterctl local up --nodes 3
  clusterctl image load web.tar
  clusterctl apply spec.yaml
  clusterctl get pods -o wide

Exit codes: 0 done, 1 refused or failed, 2 wrong usage; exec passes the command's own on.)";

void AddGlobalFlags(CLI::App& app, GlobalFlags& flags) {
  app.add_option("--context", flags.context, "The cluster to speak to, of those that are known")
      ->envname("CLUSTERCTL_CONTEXT");
  app.add_option("--server", flags.server, "The controller to speak to: unix:PATH or HOST:PORT");
  app.add_option("-n,--namespace", flags.name_space, "The namespace (default: default)");
  AddDurationOption(app, "--request-timeout", flags.request_timeout,
                    "How long to wait for one answer (default: 30s)");
}

}  // namespace

int RunProgram(Session& session, std::vector<std::string> arguments) {
  CLI::App app("clusterctl speaks to a container cluster.", "clusterctl");
  app.footer(kExamples);
  app.require_subcommand(0, 1);
  AddGlobalFlags(app, session.flags());
  AddCommands(app, session);
  AddLocalCommands(app, session);
  return session.Run(app, std::move(arguments));
}

}  // namespace cluster::cli
