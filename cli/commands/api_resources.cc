#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/output/table.h"

#include "proto/schema/kinds.h"

namespace cluster::cli {

void AddApiResources(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(app, "api-resources", "Prints the kinds of objects that there are",
                                 "clusterctl api-resources");
  session.OnCommand(command, [&session] {
    std::vector<Cells> rows = {{"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"}};
    for (const Kind& kind : AllKinds()) {
      rows.push_back({kind.plural, absl::StrJoin(kind.short_names, ","), kind.api_version,
                      kind.namespaced ? "true" : "false", kind.name});
    }
    Table(session.out()).Print(rows);
    return absl::OkStatus();
  });
}

}  // namespace cluster::cli
