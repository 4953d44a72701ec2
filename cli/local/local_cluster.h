// A whole cluster on one machine: each node in its own network and mount namespace and cgroup
// parent, joined by a hub (see hub.h). The same programs as on real machines; this only plays their
// power switch and their cables.
//
// Every call may be repeated. Calls on one machine take turns (a lock file), so that two commands
// never build the same cluster at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/local/layout.h"

namespace cluster::cli {

inline constexpr char kController[] = "controller";

// Told what is being done, one line each.
using Progress = std::function<void(const std::string& line)>;

// "running", "stopped", "partitioned" per part.
struct PartState {
  std::string name;
  std::string address;
  std::string state;
  int pid = 0;
};

class LocalCluster {
 public:
  // `bin_dir` holds cluster-controller, cluster-node and cluster-init.
  LocalCluster(std::string name, std::string bin_dir);

  const Layout& layout() const { return layout_; }

  // Makes or completes the cluster and starts everything of it that does not run. AlreadyExists
  // when it is there with another number of nodes.
  absl::Status Up(int nodes, const Progress& progress);
  // Ends and removes everything: processes, namespaces, groups, files. Ok when there is nothing.
  absl::Status Down(const Progress& progress);

  // `part` is a node's name or "controller".
  // Powers a node off: its agent and all pods are gone, its disk stays.
  absl::Status Stop(const std::string& part);
  absl::Status Start(const std::string& part);
  // kill -9 of the program alone.
  absl::Status Kill(const std::string& part);
  absl::Status SetLink(const std::string& node, bool up);
  absl::StatusOr<int> Exec(const std::string& node, const std::vector<std::string>& argv);

  absl::StatusOr<std::vector<PartState>> States() const;

 private:
  absl::Status StartController(const Definition& definition);
  absl::Status StartNode(const Definition& definition, const LocalNode& node);
  absl::Status StopNode(const LocalNode& node);
  // The program `part` of the definition; NotFound names the parts there are.
  absl::StatusOr<const LocalNode*> FindNode(const Definition& definition,
                                            const std::string& part) const;

  Layout layout_;
  std::string bin_dir_;
};

}  // namespace cluster::cli
