#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/targets.h"
#include "cli/output/placement_text.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

absl::Status Why(Session& session, const std::vector<std::string>& words) {
  ASSIGN_OR_RETURN(const Target target, ParseOneTarget(words, "pod"));
  if (target.kind->name != "Pod") return UsageError("name a pod: clusterctl why web-1");
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::WhyRequest request;
  request.set_namespace_(NamespaceFor(*target.kind, session));
  request.set_pod(target.name);
  ASSIGN_OR_RETURN(const v1::WhyResponse why, client->Why(request));
  session.out() << WhyText(TargetText(*target.kind, target.name), why);
  return absl::OkStatus();
}

}  // namespace

void AddWhy(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "why", "Why a pod waits, or why its node won: every node's verdict",
                 "clusterctl why web-1\nclusterctl why pod/web-1 -n shop");
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("pod", *words, "POD or pod/POD")->required();
  session.OnCommand(command, [&session, words] { return Why(session, *words); });
}

}  // namespace cluster::cli
