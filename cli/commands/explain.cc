#include "cli/output/explain.h"

#include "cli/commands/commands.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct ExplainFlags {
  std::string path;
  bool recursive = false;
};

absl::Status PrintExplanation(Session& session, const ExplainFlags& flags) {
  if (flags.path.empty()) {
    return UsageError("name a kind or a field: clusterctl explain deployment.spec");
  }
  ASSIGN_OR_RETURN(const std::string text, Explain(flags.path, flags.recursive));
  session.out() << text;
  return absl::OkStatus();
}

}  // namespace

void AddExplain(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(app, "explain", "What the fields of a kind mean",
                                 "clusterctl explain pods\n"
                                 "clusterctl explain deployment.spec.strategy\n"
                                 "clusterctl explain job --recursive");
  auto flags = std::make_shared<ExplainFlags>();
  command->add_option("path", flags->path, "KIND or KIND.FIELD.FIELD");
  command->add_flag("--recursive", flags->recursive, "Only the names, of all fields below it");
  session.OnCommand(command, [&session, flags] { return PrintExplanation(session, *flags); });
}

}  // namespace cluster::cli
