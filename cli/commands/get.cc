#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/print.h"
#include "cli/commands/targets.h"
#include "cli/output/rows.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct GetFlags {
  std::vector<std::string> words;
  std::string selector;
  std::string field_selector;
  std::string output;
  bool all_namespaces = false;
  bool no_headers = false;
  bool show_labels = false;
  bool watch = false;
  bool watch_only = false;
  bool ignore_not_found = false;
};

absl::Status CheckSelection(const Selection& selection) {
  const bool selects = !selection.label_selector.empty() || !selection.field_selector.empty();
  for (const Target& target : selection.targets) {
    if (target.name.empty()) continue;
    if (selects) return UsageError("give names or a selector, not both");
    if (selection.all_namespaces && target.kind->namespaced) {
      return UsageError("a name cannot be looked up in all namespaces; give -n NAMESPACE");
    }
  }
  return absl::OkStatus();
}

RowOptions RowOptionsFor(const GetFlags& flags, const PrintFormat& format,
                         const std::vector<Target>& targets) {
  RowOptions options;
  options.wide = format.form == PrintForm::kWide;
  options.with_namespace = flags.all_namespaces;
  options.with_labels = flags.show_labels;
  for (const Target& target : targets) {
    if (target.kind != targets[0].kind) options.with_kind = true;
  }
  return options;
}

// One table per kind, in the order asked for, with an empty line between.
void PrintTables(Session& session, const GetFlags& flags, const RowOptions& options,
                 const std::vector<v1::Object>& objects) {
  const absl::Time now = session.Now();
  size_t start = 0;
  while (start < objects.size()) {
    const Kind& kind = KindOf(objects[start]);
    std::vector<Cells> rows;
    if (!flags.no_headers) rows.push_back(Header(kind, options));
    size_t end = start;
    for (; end < objects.size() && &KindOf(objects[end]) == &kind; ++end) {
      rows.push_back(Row(objects[end], options, now));
    }
    if (start > 0) session.out() << "\n";
    Table(session.out()).Print(rows);
    start = end;
  }
}

void SayNothingFound(Session& session, const Selection& selection) {
  const bool namespaced = selection.targets.empty() || selection.targets[0].kind->namespaced;
  session.err() << "No resources found";
  if (namespaced && !selection.all_namespaces) {
    session.err() << " in " << session.name_space() << " namespace";
  }
  session.err() << ".\n";
}

// Prints every change of one kind (or one object) until the user has seen enough.
class Watcher {
 public:
  Watcher(Session& session, const GetFlags& flags, const PrintFormat& format,
          const Selection& selection)
      : session_(session),
        flags_(flags),
        format_(format),
        selection_(selection),
        target_(selection.targets[0]),
        options_(RowOptionsFor(flags, format, selection.targets)),
        table_(session.out()) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(Client* const client, session_.Connect());
    while (true) {
      const v1::WatchRequest request = Request();
      v1::ListRequest list;
      list.set_kind(request.kind());
      list.set_namespace_(request.namespace_());
      list.set_label_selector(request.label_selector());
      list.set_field_selector(request.field_selector());
      ASSIGN_OR_RETURN(const v1::ListResponse now, client->List(list));
      if (!flags_.watch_only) {
        RETURN_IF_ERROR(Print({now.objects().begin(), now.objects().end()}));
      }
      const absl::Status status = Follow(*client, request, now.revision());
      // The revision to resume from is compacted: what is there now is the next best truth.
      if (!absl::IsOutOfRange(status)) return status;
    }
  }

 private:
  v1::WatchRequest Request() const {
    v1::WatchRequest request;
    request.set_kind(target_.kind->name);
    if (!selection_.all_namespaces) request.set_namespace_(NamespaceFor(*target_.kind, session_));
    request.set_label_selector(selection_.label_selector);
    request.set_field_selector(target_.name.empty() ? selection_.field_selector
                                                    : absl::StrCat("metadata.name=", target_.name));
    return request;
  }

  absl::Status Follow(Client& client, v1::WatchRequest request, int64_t revision) {
    request.set_from_revision(revision);
    absl::Status printed;
    const absl::Status status =
        client.Watch(request, absl::InfiniteFuture(), [&](const v1::WatchEvent& event) {
          printed = Print({event.object()});
          return printed.ok();
        });
    return printed.ok() ? status : printed;
  }

  absl::Status Print(const std::vector<v1::Object>& objects) {
    std::vector<Cells> rows;
    for (const v1::Object& object : objects) {
      if (IsTable(format_)) {
        if (!std::exchange(has_header_, true) && !flags_.no_headers) {
          rows.push_back(Header(*target_.kind, options_));
        }
        rows.push_back(Row(object, options_, session_.Now()));
        continue;
      }
      if (format_.form == PrintForm::kYaml) session_.out() << "---\n";
      RETURN_IF_ERROR(PrintObjects(session_, format_, {object}, false));
    }
    table_.Print(rows);
    session_.out().flush();
    return absl::OkStatus();
  }

  Session& session_;
  const GetFlags& flags_;
  const PrintFormat& format_;
  const Selection& selection_;
  const Target target_;
  const RowOptions options_;
  Table table_;
  bool has_header_ = false;
};

absl::Status Get(Session& session, const GetFlags& flags) {
  ASSIGN_OR_RETURN(const PrintFormat format, ParsePrintFormat(flags.output));
  Selection selection;
  ASSIGN_OR_RETURN(selection.targets, ParseTargets(flags.words));
  selection.all_namespaces = flags.all_namespaces;
  selection.label_selector = flags.selector;
  selection.field_selector = flags.field_selector;
  RETURN_IF_ERROR(CheckSelection(selection));
  if (flags.watch || flags.watch_only) {
    if (selection.targets.size() != 1) {
      return UsageError("-w watches one kind, or one object; name just one");
    }
    return Watcher(session, flags, format, selection).Run();
  }
  ASSIGN_OR_RETURN(const Found found, Fetch(session, selection));
  const bool by_name = !selection.targets[0].name.empty();
  if (IsTable(format)) {
    PrintTables(session, flags, RowOptionsFor(flags, format, selection.targets), found.objects);
    if (found.objects.empty() && !by_name) SayNothingFound(session, selection);
  } else if (!found.objects.empty() || !by_name) {
    const bool as_list = !by_name || selection.targets.size() > 1;
    RETURN_IF_ERROR(PrintObjects(session, format, found.objects, as_list));
  }
  return flags.ignore_not_found ? absl::OkStatus() : found.missing;
}

}  // namespace

void AddGet(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(app, "get", "Prints objects, as a table or in another form",
                                 "clusterctl get pods\n"
                                 "clusterctl get pods,deploy -A -o wide\n"
                                 "clusterctl get pod/web-1 -o jsonpath='{.status.podIP}'\n"
                                 "clusterctl get pods -l app=web -w");
  auto flags = std::make_shared<GetFlags>();
  command->add_option("what", flags->words, "KIND[,KIND] [NAME...], KIND/NAME..., or all");
  command->add_option("-l,--selector", flags->selector, "Only with these labels: app=web,tier!=db");
  command->add_option("--field-selector", flags->field_selector,
                      "Only with these fields: status.phase=Running");
  command->add_option("-o,--output", flags->output, "wide, yaml, json, name or jsonpath=TEMPLATE");
  command->add_flag("-A,--all-namespaces", flags->all_namespaces, "In all namespaces");
  command->add_flag("--no-headers", flags->no_headers, "No header line");
  command->add_flag("--show-labels", flags->show_labels, "Labels as the last column");
  command->add_flag("-w,--watch", flags->watch, "Go on and print every change");
  command->add_flag("--watch-only", flags->watch_only, "Only the changes from now on");
  command->add_flag("--ignore-not-found", flags->ignore_not_found,
                    "A missing name is not an error");
  session.OnCommand(command, [&session, flags] { return Get(session, *flags); });
}

}  // namespace cluster::cli
