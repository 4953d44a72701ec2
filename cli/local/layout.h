// Where a local cluster keeps its things.
//
//   /var/lib/cluster/local/NAME/   disk: cluster.json, controller/, node1/ ..., logs/
//   /run/cluster/local/NAME/       gone with the machine: api.sock, pids/, ns/ (pinned namespaces),
//   node1/ ...
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::cli {

inline constexpr char kLocalStateRoot[] = "/var/lib/cluster/local";
inline constexpr char kLocalRunRoot[] = "/run/cluster/local";

// Pure path arithmetic.
struct Layout {
  std::string name;

  std::string State() const { return std::string(kLocalStateRoot) + "/" + name; }
  std::string Run() const { return std::string(kLocalRunRoot) + "/" + name; }
  std::string DefinitionFile() const { return State() + "/cluster.json"; }
  std::string Socket() const { return Run() + "/api.sock"; }
  std::string Server() const { return "unix:" + Socket(); }
  std::string Namespaces() const { return Run() + "/ns"; }
  std::string NetNs(const std::string& part) const { return Namespaces() + "/" + part + ".net"; }
  std::string MountNs(const std::string& part) const { return Namespaces() + "/" + part + ".mnt"; }
  std::string PidFile(const std::string& part) const { return Run() + "/pids/" + part; }
  std::string LogFile(const std::string& part) const { return State() + "/logs/" + part + ".log"; }
  // Below every cgroup hierarchy's root.
  std::string CgroupRoot() const { return "/cluster-" + name; }
  std::string Cgroup(const std::string& part) const { return CgroupRoot() + "/" + part; }
};

// InvalidArgument unless 1-20 of [a-z0-9-], starting and ending with a letter or digit.
absl::Status CheckClusterName(absl::string_view name);

// What `local up` was asked for; kept as JSON on disk, so that parts can be started again.
struct LocalNode {
  std::string name;     // "node1"
  std::string address;  // on the cluster's own link, without prefix length
};
struct Definition {
  std::string name;
  std::string controller_address;
  int controller_port = 7443;
  std::vector<LocalNode> nodes;

  const LocalNode* Find(absl::string_view node) const;
};

// node1 … nodeN on 10.63.0.0/16, which exists only inside the cluster's own network namespaces.
Definition MakeDefinition(const std::string& name, int nodes);

absl::Status SaveDefinition(const Layout& layout, const Definition& definition);
// NotFound with a sentence when there is no such cluster.
absl::StatusOr<Definition> LoadDefinition(const Layout& layout);

// Names of all local clusters on this machine, sorted.
std::vector<std::string> ListLocalClusters();

}  // namespace cluster::cli
