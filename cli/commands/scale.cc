#include "cli/commands/commands.h"
#include "cli/commands/targets.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct ScaleFlags {
  std::vector<std::string> words;
  int32_t replicas = -1;
  int32_t current_replicas = -1;
};

absl::Status Scale(Session& session, const ScaleFlags& flags) {
  if (flags.replicas < 0) return UsageError("--replicas must be 0 or more");
  ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(flags.words));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  for (const Target& target : targets) {
    if (target.name.empty()) return UsageError("name what to scale, such as deploy/web");
    v1::ScaleRequest request;
    request.set_kind(target.kind->name);
    request.set_namespace_(NamespaceFor(*target.kind, session));
    request.set_name(target.name);
    request.set_replicas(flags.replicas);
    if (flags.current_replicas >= 0) request.set_current_replicas(flags.current_replicas);
    RETURN_IF_ERROR(client->Scale(request).status());
    session.out() << TargetText(*target.kind, target.name) << " scaled\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddScale(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "scale", "Sets how many pods a Deployment, ReplicaSet or StatefulSet has",
                 "clusterctl scale --replicas 5 deploy/web\n"
                 "clusterctl scale --replicas 5 --current-replicas 3 deployment web");
  auto flags = std::make_shared<ScaleFlags>();
  command->add_option("what", flags->words, "KIND NAME or KIND/NAME...");
  command->add_option("--replicas", flags->replicas, "How many")->required();
  command->add_option("--current-replicas", flags->current_replicas,
                      "Only if it has this many now");
  session.OnCommand(command, [&session, flags] { return Scale(session, *flags); });
}

}  // namespace cluster::cli
