// The node's one nftables table: host ports, services (service_routes.h), masquerading, and the
// guard of the pods' range.
// The text is made by pure functions; Firewall hands it to the kernel through libnftables(3).
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/ipv4.h"
#include "base/mutex.h"
#include "node/network/lease.h"

struct nft_ctx;

namespace cluster::node {

// A published port with the pod's address behind it.
struct PortTarget {
  PublishedPort port;
  Ipv4 address;
  friend auto operator<=>(const PortTarget&, const PortTarget&) = default;
};

// "cluster_<bridge>"
std::string TableName(const std::string& bridge);

// Commands that make the table with all its chains, rules, maps and sets, or bring an older one up
// to date; what is in the maps and sets stays.
std::string BaseRules(const std::string& bridge, const Cidr& pod_cidr, const Cidr& cluster_cidr);
// Commands that change single elements of the port maps; empty for no change.
std::string PortRules(const std::string& table, const std::vector<PortTarget>& removed,
                      const std::vector<PortTarget>& added);
// Commands that make the maps hold exactly these.
std::string AllPortRules(const std::string& table, const std::vector<PortTarget>& ports);
// Commands that make the set of peer nodes hold exactly these.
std::string PeerRules(const std::string& table, const std::vector<Ipv4>& peers);

// Commands after which there is no such table.
std::string DeleteTableRules(const std::string& table);

// What a table has, by name.
struct TableNames {
  std::set<std::string> chains;
  std::set<std::string> sets;  // maps too
};
// Pure; of what "list table" prints.
TableNames ParseTableNames(absl::string_view listing);

// Thread-safe: one set of commands at a time, each applied as a whole or not at all.
class Firewall {
 public:
  // In the calling thread's network namespace.
  static absl::StatusOr<std::unique_ptr<Firewall>> Open();
  ~Firewall();
  Firewall(const Firewall&) = delete;
  Firewall& operator=(const Firewall&) = delete;

  // Internal: "nftables: <its own first line>".
  absl::Status Run(const std::string& commands);
  // The same, with what nft prints ("list ruleset").
  absl::StatusOr<std::string> Query(const std::string& commands);
  // Of this table, which is there. Elements are not read: the cost is that of the names.
  absl::StatusOr<TableNames> Names(const std::string& table);

 private:
  absl::StatusOr<std::string> QueryLocked(const std::string& commands)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  explicit Firewall(nft_ctx* context) : context_(context) {}

  Mutex mutex_;  // held over I/O: the context is not thread-safe
  nft_ctx* const context_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace cluster::node
