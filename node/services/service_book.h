// The services of the cluster and where they lead, as the controller told it last.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/v1/node_state.pb.h"
#include "cluster/v1/routes.pb.h"

namespace cluster::node {

// One version of the table. Immutable.
struct KnownServices {
  // By the controller, since the agent began. False: what the disk knew, addresses and ports with
  // nothing behind them.
  bool is_told = false;
  std::string service_cidr;                                            // empty: nobody ever told
  std::map<std::string, std::shared_ptr<const v1::ServiceRoute>> all;  // by "namespace/name"
};

// Thread-safe.
class ServiceBook {
 public:
  // What the disk knew.
  void Restore(const v1::KnownServicesRecord& record);
  // True: an address or a port is another than before, or new, or gone; then Record is.
  bool Apply(const v1::Routes& routes);

  std::shared_ptr<const KnownServices> table() const;
  // For Restore.
  v1::KnownServicesRecord Record() const;
  // Those of one namespace by name: what a container may know of them.
  std::vector<v1::ServiceRoute> In(const std::string& name_space) const;

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const KnownServices> table_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const KnownServices>();
};

}  // namespace cluster::node
