// Where every service leads, kept up with a view change by change: a change of a pod costs the
// services of its namespace, not their pods.
//
// Versions grow with every change that a node would notice. A node that knows one is told what
// changed since. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/routes.pb.h"
#include "controller/cache/uid_key.h"
#include "controller/cache/view.h"

namespace cluster::controller {

class RouteTable {
 public:
  explicit RouteTable(std::string service_cidr) : service_cidr_(std::move(service_cidr)) {}

  // Everything anew; whoever knows an older version is told everything. Pods of services that are
  // being ended count as having left with this version: who knows when they did.
  void Reset(const View& view);
  // What changed in the view, which has it already.
  void ServiceChanged(const EntryPtr& before, const EntryPtr& after, const View& view);
  void PodChanged(const EntryPtr& before, const EntryPtr& after);

  // At least 1.
  int64_t version() const { return version_; }
  // The version of the last change of a service's address, name or ports.
  int64_t addresses_version() const { return addresses_version_; }
  // What changed after that version; all of it where that is not known any more (0: nothing was
  // known). Shared by all who ask for the same, one after another, while nothing changes.
  std::shared_ptr<const v1::Routes> Since(int64_t version);
  // Whether that would be all of it.
  bool IsAll(int64_t version) const { return version < known_since_; }

  // With which version the pod went from behind its services, where it was behind any and its
  // object is still there: who routes by an older one may send it new connections. 0: never.
  int64_t LeftWith(const std::string& uid) const;
  // Uids of those for which it says something.
  std::vector<std::string> Left() const;

 private:
  // What the pod is to one service: a port for each of the service's, 0 where it has none.
  struct Member {
    UidKey uid;
    std::string address;
    std::string node;
    std::string hostname;  // below the service's name
    std::vector<int32_t> ports;
    friend bool operator==(const Member&, const Member&) = default;
  };
  struct Service {
    EntryPtr entry;
    absl::btree_map<std::string, Member> members;  // by the pod's name
    int64_t version = 0;                           // of its last change
  };
  // Of one namespace.
  struct Services {
    std::map<std::string, Service> by_name;
    // Which have this label first in their selector (the least key): names.
    absl::flat_hash_map<std::pair<std::string, std::string>, std::set<std::string>> by_label;
  };

  static Member MemberOf(const v1::Service& service, const Entry& pod);
  v1::Routes Changes(int64_t version) const;
  static v1::ServiceRoute RouteOf(const Service& service);
  // Where it stands; nullptr: nowhere.
  Service* Find(absl::string_view key);
  const Service* Find(absl::string_view key) const;
  void Fill(Service* service, const View& view);
  // In by_label; `is_there`: in it from now on.
  static void Index(Services* services, const EntryPtr& service, bool is_there);
  // Names of the services that may be those of a pod with these labels.
  static void AddCandidates(const Services& services, const EntryPtr& pod,
                            std::set<std::string>* names);
  // The pod is behind the service as it should be now. False: it was already.
  bool Update(Service* service, const std::string& name, const EntryPtr& pod);
  void Leave(const UidKey& uid) { left_[uid] = version_ + 1; }
  // The next version is that of this service.
  void Stamp(const std::string& key, int64_t* version);
  void Remove(const std::string& key);

  const std::string service_cidr_;
  absl::flat_hash_map<std::string, Services> by_namespace_;
  absl::btree_map<int64_t, std::string> changes_;   // version -> key of the service
  absl::flat_hash_map<std::string, int64_t> gone_;  // key of the service -> version
  absl::flat_hash_map<UidKey, int64_t> left_;
  int64_t version_ = 1;
  int64_t addresses_version_ = 1;
  int64_t known_since_ = 1;  // what went before is forgotten
  // What was asked for last, and since when: most nodes know the same.
  std::shared_ptr<const v1::Routes> told_;
  int64_t told_since_ = 0;
};

}  // namespace cluster::controller
