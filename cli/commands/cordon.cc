#include "absl/strings/strip.h"
#include "cli/commands/commands.h"
#include "cli/commands/nodes.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

std::string NodeName(absl::string_view word) {
  if (!absl::ConsumePrefix(&word, "node/")) absl::ConsumePrefix(&word, "nodes/");
  return std::string(word);
}

void Add(CLI::App& app, Session& session, const std::string& name, const std::string& description,
         bool unschedulable) {
  CLI::App* command = AddCommand(app, name, description, "clusterctl " + name + " node1");
  auto nodes = std::make_shared<std::vector<std::string>>();
  command->add_option("node", *nodes, "NODE...")->required();
  session.OnCommand(command, [&session, nodes, unschedulable] {
    for (const std::string& node : *nodes) {
      RETURN_IF_ERROR(SetUnschedulable(session, NodeName(node), unschedulable));
    }
    return absl::OkStatus();
  });
}

}  // namespace

absl::Status SetUnschedulable(Session& session, const std::string& node, bool unschedulable) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::CordonRequest request;
  request.set_node(node);
  request.set_unschedulable(unschedulable);
  ASSIGN_OR_RETURN(const v1::CordonResponse response, client->Cordon(request));
  session.out() << "node/" << node << (response.changed() ? " " : " already ")
                << (unschedulable ? "cordoned" : "uncordoned") << "\n";
  session.out().flush();
  return absl::OkStatus();
}

void AddCordon(CLI::App& app, Session& session) {
  Add(app, session, "cordon", "Lets no new pods onto nodes", true);
  Add(app, session, "uncordon", "Lets pods onto nodes again", false);
}

}  // namespace cluster::cli
