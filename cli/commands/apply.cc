#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/manifests.h"
#include "cli/commands/print.h"
#include "cli/commands/waiting.h"
#include "cli/output/placement_text.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct ApplyFlags {
  FileFlags files;
  std::string dry_run;
  std::string output;
  bool wait = false;
  absl::Duration timeout = absl::Seconds(60);
};

absl::StatusOr<bool> IsDryRun(const std::string& mode) {
  if (mode.empty() || mode == "none") return false;
  if (mode == "server") return true;
  return UsageError(absl::StrCat("--dry-run=", mode, " does not exist; give --dry-run=server"));
}

absl::Status PrintResults(Session& session, const std::string& output, bool dry_run,
                          const v1::ApplyResponse& response) {
  ASSIGN_OR_RETURN(const PrintFormat format, ParsePrintFormat(output));
  if (!IsTable(format)) {
    std::vector<v1::Object> objects;
    for (const v1::ApplyResult& result : response.results()) objects.push_back(result.object());
    return PrintObjects(session, format, objects, false);
  }
  for (const v1::ApplyResult& result : response.results()) {
    session.out() << DisplayName(result.object()) << " " << OutcomeText(result.outcome())
                  << (dry_run ? " (server dry run)" : "") << "\n";
  }
  session.out().flush();
  return absl::OkStatus();
}

absl::Status WaitForAll(Session& session, Client& client, const v1::ApplyResponse& response,
                        absl::Duration timeout) {
  const absl::Time deadline = DeadlineAfter(absl::Now(), timeout);
  for (const v1::ApplyResult& result : response.results()) {
    const v1::ObjectMeta& meta = Meta(result.object());
    const ObjectName name = {&KindOf(result.object()), meta.namespace_(), meta.name()};
    RETURN_IF_ERROR(WaitUntilReady(client, name, deadline, [&](const std::string& message) {
      if (session.terminal().err_is_terminal && !message.empty()) session.err() << message << "\n";
    }));
  }
  return absl::OkStatus();
}

absl::Status Apply(Session& session, const ApplyFlags& flags) {
  ASSIGN_OR_RETURN(const bool dry_run, IsDryRun(flags.dry_run));
  RETURN_IF_ERROR(ParsePrintFormat(flags.output).status());
  ASSIGN_OR_RETURN(const std::vector<Document> documents, ReadFiles(session, flags.files, "apply"));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::ApplyRequest request;
  request.set_dry_run(dry_run);
  for (const Document& document : documents) *request.add_objects() = document.object;
  const absl::StatusOr<v1::ApplyResponse> response = client->Apply(std::move(request));
  if (!response.ok()) return WithPositions(response.status(), documents);
  RETURN_IF_ERROR(PrintResults(session, flags.output, dry_run, *response));
  if (!flags.wait || dry_run) return absl::OkStatus();
  return WaitForAll(session, *client, *response, flags.timeout);
}

}  // namespace

void AddApply(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(
      app, "apply", "Creates or changes objects so that they are as the files say, all or none",
      "clusterctl apply spec.yaml\n"
      "clusterctl apply -f manifests/ --wait --timeout 2m\n"
      "clusterctl apply -f - --dry-run=server < spec.yaml");
  auto flags = std::make_shared<ApplyFlags>();
  AddFileFlags(*command, flags->files);
  command->add_flag("--dry-run{server}", flags->dry_run,
                    "--dry-run=server: the controller checks everything and changes nothing");
  command->add_option("-o,--output", flags->output, "yaml, json, name or jsonpath=TEMPLATE");
  command->add_flag("--wait", flags->wait, "Until Deployments are rolled out and pods are ready");
  AddDurationOption(*command, "--timeout", flags->timeout, "With --wait: how long (default: 60s)");
  session.OnCommand(command, [&session, flags] { return Apply(session, *flags); });
}

}  // namespace cluster::cli
