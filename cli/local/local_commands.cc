#include "cli/local/local_commands.h"

#include <unistd.h>

#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/context.h"
#include "cli/local/local_cluster.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

constexpr absl::Duration kUpPatience = absl::Seconds(60);

// The programs of a cluster stand beside this one.
std::string BinDir() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

// --name, else the current context where that is a local cluster, else "local".
std::string ChosenName(Session& session, const std::string& name) {
  if (!name.empty()) return name;
  std::string current = session.flags().context;
  if (current.empty()) {
    const absl::StatusOr<Contexts> contexts = LoadContexts(session.contexts_path());
    if (contexts.ok()) current = contexts->current;
  }
  const std::vector<std::string> known = ListLocalClusters();
  for (const std::string& cluster : known) {
    if (cluster == current) return cluster;
  }
  return "local";
}

bool IsReady(const v1::Node& node) {
  for (const v1::Condition& condition : node.status().conditions()) {
    if (condition.type() == "Ready") return condition.status() == v1::CONDITION_STATUS_TRUE;
  }
  return false;
}

// Until the controller answers and every node of the cluster is ready.
absl::Status WaitUntilReady(const LocalCluster& cluster, const std::vector<std::string>& nodes) {
  const absl::Time deadline = absl::Now() + kUpPatience;
  Client client(cluster.layout().Server(), kUpPatience);
  std::set<std::string> missing(nodes.begin(), nodes.end());
  v1::WatchRequest request;
  request.set_kind("Node");
  const absl::Status status = client.Watch(request, deadline, [&](const v1::WatchEvent& event) {
    if (event.object().has_node() && IsReady(event.object().node())) {
      missing.erase(event.object().node().metadata().name());
    }
    return !missing.empty();
  });
  if (missing.empty()) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(
      "not ready within ", absl::FormatDuration(kUpPatience), ": ", absl::StrJoin(missing, ", "),
      "; look into ", cluster.layout().State(), "/logs", status.ok() ? "" : " (",
      status.ok() ? "" : std::string(status.message()), status.ok() ? "" : ")"));
}

absl::StatusOr<int> RunUp(Session& session, const std::string& name, int nodes) {
  LocalCluster cluster(name.empty() ? "local" : name, BinDir());
  const auto progress = [&](const std::string& line) { session.err() << "  " << line << "\n"; };
  RETURN_IF_ERROR(cluster.Up(nodes, progress));
  std::vector<std::string> names;
  for (const LocalNode& node : MakeDefinition(cluster.layout().name, nodes).nodes) {
    names.push_back(node.name);
  }
  RETURN_IF_ERROR(WaitUntilReady(cluster, names));
  RETURN_IF_ERROR(SetCurrentContext(session.contexts_path(), cluster.layout().name,
                                    {cluster.layout().Server()}));
  session.out() << "local cluster \"" << cluster.layout().name << "\" is up: " << nodes
                << (nodes == 1 ? " node" : " nodes") << " ready\n";
  return kDone;
}

absl::StatusOr<int> RunDown(Session& session, const std::string& name) {
  LocalCluster cluster(name, BinDir());
  const auto progress = [&](const std::string& line) { session.err() << "  " << line << "\n"; };
  RETURN_IF_ERROR(cluster.Down(progress));
  RETURN_IF_ERROR(RemoveContext(session.contexts_path(), name));
  session.out() << "local cluster \"" << name << "\" is gone\n";
  return kDone;
}

absl::StatusOr<int> RunList(Session& session) {
  const std::vector<std::string> names = ListLocalClusters();
  if (names.empty()) {
    session.err() << "no local clusters; make one with 'clusterctl local up'\n";
    return kDone;
  }
  session.out() << absl::StreamFormat("%-20s %-12s %-16s %-20s %s\n", "CLUSTER", "PART", "ADDRESS",
                                      "STATE", "PID");
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const std::vector<PartState> states, LocalCluster(name, BinDir()).States());
    for (const PartState& state : states) {
      session.out() << absl::StreamFormat("%-20s %-12s %-16s %-20s %s\n", name, state.name,
                                          state.address, state.state,
                                          state.pid > 0 ? absl::StrCat(state.pid) : "-");
    }
  }
  return kDone;
}

// One subcommand that takes a part and --name, and prints one line when done.
struct PartCommand {
  const char* name;
  const char* description;
  const char* example;
  const char* part;  // what the argument is called in help
  const char* done;  // printed after the part's name
  absl::Status (*run)(LocalCluster& cluster, const std::string& part);
};

constexpr PartCommand kPartCommands[] = {
    {"stop", "Powers a node off: its agent and all its pods are gone, its disk is kept.",
     "clusterctl local stop node2", "NODE|controller", "stopped",
     [](LocalCluster& cluster, const std::string& part) { return cluster.Stop(part); }},
    {"start", "Brings a stopped or killed node, or the controller, back.",
     "clusterctl local start node2", "NODE|controller", "started",
     [](LocalCluster& cluster, const std::string& part) { return cluster.Start(part); }},
    {"kill", "kill -9 of a node's agent, or of the controller, alone: pods live on.",
     "clusterctl local kill node1\n  clusterctl local kill controller", "NODE|controller", "killed",
     [](LocalCluster& cluster, const std::string& part) { return cluster.Kill(part); }},
    {"partition", "Cuts a node's link.", "clusterctl local partition node3", "NODE", "partitioned",
     [](LocalCluster& cluster, const std::string& part) { return cluster.SetLink(part, false); }},
    {"heal", "Mends a node's link.", "clusterctl local heal node3", "NODE", "healed",
     [](LocalCluster& cluster, const std::string& part) { return cluster.SetLink(part, true); }},
};

CLI::App* AddNamed(CLI::App& parent, const std::string& command, const std::string& description,
                   const std::string& examples, std::shared_ptr<std::string> name) {
  CLI::App* added = AddCommand(parent, command, description, examples);
  added->add_option("--name", *name, "Name of the local cluster");
  return added;
}

void AddUp(CLI::App& local, Session& session) {
  auto name = std::make_shared<std::string>();
  auto nodes = std::make_shared<int>(3);
  auto uplink = std::make_shared<bool>(false);
  CLI::App* up = AddNamed(
      local, "up", "Starts a whole cluster on this machine and makes it the current context.",
      "clusterctl local up\n  clusterctl local up --name dev --nodes 5", name);
  up->add_option("--nodes", *nodes, "How many nodes (default 3)")->check(CLI::Range(1, 200));
  up->add_flag("--uplink", *uplink, "Not supported yet: a route out of the cluster");
  session.OnCommand(up, [&session, name, nodes, uplink]() -> absl::StatusOr<int> {
    if (*uplink) {
      return absl::UnimplementedError("--uplink is not supported yet: leave it out");
    }
    return RunUp(session, *name, *nodes);
  });
}

void AddExec(CLI::App& local, Session& session) {
  auto name = std::make_shared<std::string>();
  auto node = std::make_shared<std::string>();
  CLI::App* exec = AddNamed(local, "exec", "Runs a command in a node's network namespace.",
                            "clusterctl local exec node1 -- ping -c1 10.63.0.3", name);
  exec->add_option("NODE", *node, "node1, node2, ... or controller")->required();
  session.OnCommand(
      exec,
      [&session, name, node]() -> absl::StatusOr<int> {
        if (session.trailing().empty()) return UsageError("give the command after --");
        return LocalCluster(ChosenName(session, *name), BinDir()).Exec(*node, session.trailing());
      },
      /*takes_trailing=*/true);
}

}  // namespace

void AddLocalCommands(CLI::App& app, Session& session) {
  CLI::App* local =
      AddCommand(app, "local", "Clusters on this machine, each node in namespaces of its own.",
                 "clusterctl local up --nodes 3\n  clusterctl local list");
  local->require_subcommand(1);
  AddUp(*local, session);
  AddExec(*local, session);
  auto name = std::make_shared<std::string>();
  CLI::App* down = AddNamed(*local, "down", "Ends a local cluster and leaves nothing of it behind.",
                            "clusterctl local down --name dev", name);
  session.OnCommand(down,
                    [&session, name] { return RunDown(session, ChosenName(session, *name)); });
  CLI::App* list =
      AddCommand(*local, "list", "Lists local clusters and their parts.", "clusterctl local list");
  session.OnCommand(list, [&session] { return RunList(session); });
  for (const PartCommand& command : kPartCommands) {
    auto cluster_name = std::make_shared<std::string>();
    auto part = std::make_shared<std::string>();
    CLI::App* added =
        AddNamed(*local, command.name, command.description, command.example, cluster_name);
    added->add_option(command.part, *part, "node1, node2, ...")->required();
    session.OnCommand(added, [&session, &command, cluster_name, part]() -> absl::StatusOr<int> {
      LocalCluster cluster(ChosenName(session, *cluster_name), BinDir());
      RETURN_IF_ERROR(command.run(cluster, *part));
      session.out() << *part << " " << command.done << "\n";
      return kDone;
    });
  }
}

}  // namespace cluster::cli
