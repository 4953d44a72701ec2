#include "cli/commands/commands.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

absl::Status PrintVersion(Session& session, bool client_only) {
  session.out() << "Client Version: " << CLUSTER_VERSION << "\n";
  if (client_only) return absl::OkStatus();
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const v1::GetVersionResponse version, client->GetVersion());
  session.out() << "Server Version: " << version.version() << "\nAPI: " << version.api() << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddVersion(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "version", "Prints the versions of this program and of the controller",
                 "clusterctl version\nclusterctl version --client");
  auto client_only = std::make_shared<bool>(false);
  command->add_flag("--client", *client_only, "Only of this program");
  session.OnCommand(command,
                    [&session, client_only] { return PrintVersion(session, *client_only); });
}

}  // namespace cluster::cli
