#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/commands/targets.h"
#include "cli/output/top_rows.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct TopFlags {
  std::string name;
  std::string selector;
  std::string sort_by;
  std::string output;
  bool all_namespaces = false;
  bool containers = false;
  bool no_headers = false;
  bool sum = false;
};

absl::StatusOr<TopOptions> OptionsOf(const TopFlags& flags) {
  TopOptions options;
  if (flags.sort_by == "cpu") {
    options.order = TopOrder::kCpu;
  } else if (flags.sort_by == "memory") {
    options.order = TopOrder::kMemory;
  } else if (!flags.sort_by.empty()) {
    return UsageError(absl::StrCat("--sort-by takes cpu or memory, not ", flags.sort_by));
  }
  if (!flags.output.empty() && flags.output != "wide") {
    return UsageError(absl::StrCat("-o takes wide here, not ", flags.output));
  }
  if (!flags.name.empty() && !flags.selector.empty()) {
    return UsageError("give a name or a selector, not both");
  }
  options.wide = flags.output == "wide";
  options.with_namespace = flags.all_namespaces;
  options.containers = flags.containers;
  options.headers = !flags.no_headers;
  options.sum = flags.sum;
  return options;
}

absl::StatusOr<v1::StatsResponse> Ask(Session& session, const v1::StatsRequest& request) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(v1::StatsResponse response, client->Stats(request));
  if (!response.unreachable().empty()) {
    session.err() << "no statistics from " << absl::StrJoin(response.unreachable(), ", ")
                  << ": see `clusterctl get nodes`\n";
  }
  return response;
}

std::string Bare(absl::string_view word, absl::string_view kind) {
  const size_t slash = word.find('/');
  if (slash != absl::string_view::npos && absl::StartsWith(kind, word.substr(0, 2))) {
    word.remove_prefix(slash + 1);
  }
  return std::string(word);
}

absl::Status TopPods(Session& session, const TopFlags& flags) {
  ASSIGN_OR_RETURN(const TopOptions options, OptionsOf(flags));
  const std::string name = Bare(flags.name, "pods");
  if (!name.empty() && flags.all_namespaces) {
    return UsageError("a name cannot be looked up in all namespaces; give -n NAMESPACE");
  }
  // The pods that are meant: they also tell which of them exist.
  const Selection selection = {{{FindKind("Pod"), name}}, flags.all_namespaces, flags.selector, ""};
  ASSIGN_OR_RETURN(const Found found, Fetch(session, selection));
  RETURN_IF_ERROR(found.missing);
  std::set<std::string> wanted;
  for (const v1::Object& pod : found.objects) wanted.insert(pod.pod().metadata().uid());
  v1::StatsRequest request;
  if (!flags.all_namespaces) request.set_namespace_(session.name_space());
  ASSIGN_OR_RETURN(const v1::StatsResponse response, Ask(session, request));
  std::vector<v1::PodStats> pods;
  for (const v1::NodeStats& node : response.nodes()) {
    for (const v1::PodStats& pod : node.pods()) {
      if (wanted.contains(pod.uid())) pods.push_back(pod);
    }
  }
  if (!pods.empty()) {
    Table(session.out()).Print(TopPodRows(pods, options));
    return absl::OkStatus();
  }
  if (!name.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "pod ", name, " uses nothing: it does not run; see `clusterctl describe pod ", name, "`"));
  }
  session.err() << "No resources found";
  if (!flags.all_namespaces) session.err() << " in " << session.name_space() << " namespace";
  session.err() << ".\n";
  return absl::OkStatus();
}

absl::Status TopNodes(Session& session, const TopFlags& flags) {
  ASSIGN_OR_RETURN(const TopOptions options, OptionsOf(flags));
  const std::string name = Bare(flags.name, "nodes");
  const Selection selection = {{{FindKind("Node"), name}}, false, flags.selector, ""};
  ASSIGN_OR_RETURN(const Found found, Fetch(session, selection));
  RETURN_IF_ERROR(found.missing);
  std::vector<v1::Node> nodes;
  for (const v1::Object& node : found.objects) nodes.push_back(node.node());
  v1::StatsRequest request;
  request.set_node(name);
  ASSIGN_OR_RETURN(const v1::StatsResponse response, Ask(session, request));
  const std::vector<v1::NodeStats> stats(response.nodes().begin(), response.nodes().end());
  Table(session.out()).Print(TopNodeRows(nodes, stats, options));
  return absl::OkStatus();
}

CLI::App* AddKind(CLI::App& top, const std::string& name, const std::string& alias,
                  const std::string& description, const std::string& examples, TopFlags& flags) {
  CLI::App* command = AddCommand(top, name, description, examples);
  command->alias(alias);
  command->alias(alias.substr(0, 2));
  command->add_option("name", flags.name, "Only this one");
  command->add_option("-l,--selector", flags.selector, "Only with these labels: app=web,tier!=db");
  command->add_option("--sort-by", flags.sort_by, "cpu or memory, the most first");
  command->add_option("-o,--output", flags.output, "wide: with more columns");
  command->add_flag("--no-headers", flags.no_headers, "No header line");
  return command;
}

}  // namespace

void AddTop(CLI::App& app, Session& session) {
  CLI::App* top = AddCommand(app, "top", "Shows what nodes and pods use right now",
                             "clusterctl top nodes\nclusterctl top pods -A --sort-by cpu");
  top->require_subcommand(1);
  auto flags = std::make_shared<TopFlags>();
  CLI::App* pods = AddKind(*top, "pods", "pod", "What pods use",
                           "clusterctl top pods -l app=web --containers\n"
                           "clusterctl top pods -A --sort-by memory -o wide",
                           *flags);
  pods->add_flag("-A,--all-namespaces", flags->all_namespaces, "In all namespaces");
  pods->add_flag("--containers", flags->containers, "A row for each container");
  pods->add_flag("--sum", flags->sum, "A last row with the sums");
  session.OnCommand(pods, [&session, flags] { return TopPods(session, *flags); });
  CLI::App* nodes = AddKind(*top, "nodes", "node", "What nodes use",
                            "clusterctl top nodes -o wide\nclusterctl top node node1", *flags);
  session.OnCommand(nodes, [&session, flags] { return TopNodes(session, *flags); });
}

}  // namespace cluster::cli
