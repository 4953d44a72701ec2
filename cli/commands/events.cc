#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/print.h"
#include "cli/commands/targets.h"
#include "cli/output/rows.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct EventFlags {
  bool all_namespaces = false;
  std::string about;
  std::string types;
  std::string output;
  bool watch = false;
  bool no_headers = false;
};

absl::StatusOr<std::string> FieldSelector(const EventFlags& flags) {
  std::string selector;
  if (!flags.about.empty()) {
    ASSIGN_OR_RETURN(const Target target, ParseOneTarget({flags.about}));
    absl::StrAppend(&selector, "involvedObject.kind=", target.kind->name,
                    ",involvedObject.name=", target.name);
  }
  if (!flags.types.empty()) {
    absl::StrAppend(&selector, selector.empty() ? "" : ",", "type=", flags.types);
  }
  return selector;
}

absl::Status Follow(Session& session, Client& client, const v1::ListRequest& list, int64_t revision,
                    Table& table, const RowOptions& options) {
  v1::WatchRequest request;
  request.set_kind("Event");
  request.set_namespace_(list.namespace_());
  request.set_field_selector(list.field_selector());
  request.set_from_revision(revision);
  return client.Watch(request, absl::InfiniteFuture(), [&](const v1::WatchEvent& event) {
    // An event that is forgotten after its time is nothing that happened.
    if (event.type() == v1::WATCH_EVENT_TYPE_DELETED) return true;
    table.Print({Row(event.object(), options, session.Now())});
    session.out().flush();
    return true;
  });
}

absl::Status Events(Session& session, const EventFlags& flags) {
  ASSIGN_OR_RETURN(const PrintFormat format, ParsePrintFormat(flags.output));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::ListRequest request;
  request.set_kind("Event");
  if (!flags.all_namespaces) request.set_namespace_(session.name_space());
  ASSIGN_OR_RETURN(*request.mutable_field_selector(), FieldSelector(flags));
  ASSIGN_OR_RETURN(v1::ListResponse list, client->List(request));
  std::vector<v1::Object> events(list.objects().begin(), list.objects().end());
  std::stable_sort(events.begin(), events.end(), [](const v1::Object& a, const v1::Object& b) {
    return EventTime(a.event()) < EventTime(b.event());
  });
  if (!IsTable(format)) return PrintObjects(session, format, events, true);
  if (events.empty() && !flags.watch) {
    session.err() << "No events found.\n";
    return absl::OkStatus();
  }
  RowOptions options;
  options.wide = format.form == PrintForm::kWide;
  options.with_namespace = flags.all_namespaces;
  std::vector<Cells> rows;
  if (!flags.no_headers) rows.push_back(Header(*FindKind("Event"), options));
  for (const v1::Object& event : events) rows.push_back(Row(event, options, session.Now()));
  Table table(session.out());
  table.Print(rows);
  session.out().flush();
  if (!flags.watch) return absl::OkStatus();
  return Follow(session, *client, request, list.revision(), table, options);
}

}  // namespace

void AddEvents(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(app, "events", "Prints what happened, oldest first",
                                 "clusterctl events\n"
                                 "clusterctl events --for pod/web-1\n"
                                 "clusterctl events -A --types Warning -w");
  auto flags = std::make_shared<EventFlags>();
  command->add_flag("-A,--all-namespaces", flags->all_namespaces, "In all namespaces");
  command->add_option("--for", flags->about, "Only about this object: KIND/NAME");
  command->add_option("--types", flags->types, "Only of this type: Normal or Warning")
      ->check(CLI::IsMember({"Normal", "Warning"}));
  command->add_option("-o,--output", flags->output, "wide, yaml, json, name or jsonpath=TEMPLATE");
  command->add_flag("-w,--watch", flags->watch, "Go on and print what happens next");
  command->add_flag("--no-headers", flags->no_headers, "No header line");
  session.OnCommand(command, [&session, flags] { return Events(session, *flags); });
}

}  // namespace cluster::cli
