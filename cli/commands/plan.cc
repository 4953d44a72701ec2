#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/manifests.h"
#include "cli/output/placement_text.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

absl::Status Plan(Session& session, const FileFlags& flags) {
  ASSIGN_OR_RETURN(const std::vector<Document> documents, ReadFiles(session, flags, "plan"));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::PlanRequest request;
  for (const Document& document : documents) *request.add_objects() = document.object;
  const absl::StatusOr<v1::PlanResponse> plan = client->Plan(request);
  if (!plan.ok()) return WithPositions(plan.status(), documents);
  session.out() << PlanText(*plan);
  return absl::OkStatus();
}

}  // namespace

void AddPlan(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(
      app, "plan",
      "What an apply would create, change and restart, and where it would run; nothing happens",
      "clusterctl plan spec.yaml\nclusterctl plan -f manifests/");
  auto flags = std::make_shared<FileFlags>();
  AddFileFlags(*command, *flags);
  session.OnCommand(command, [&session, flags] { return Plan(session, *flags); });
}

}  // namespace cluster::cli
