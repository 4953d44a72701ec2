// The leases that are alive and the keys that hang on them. In memory only; time comes in as an
// argument. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "controller/store/store.h"

namespace cluster::store {

// Less than this is not granted: expiry would race with the scheduling of threads.
constexpr absl::Duration kMinLease = absl::Milliseconds(10);

class LeaseBook {
 public:
  void Add(LeaseId lease, absl::Duration ttl, absl::Duration now);
  // Takes the lease and its bonds to keys away.
  void Remove(LeaseId lease);
  bool Has(LeaseId lease) const { return leases_.count(lease) != 0; }
  // Another full ttl from now. False when there is no such lease or it has run out already.
  bool Renew(LeaseId lease, absl::Duration now);

  // Follows a change: the key now hangs on `lease` (0 = none, also when the key was deleted).
  void Attach(const std::string& key, LeaseId lease);
  // Sorted.
  std::vector<std::string> KeysOf(LeaseId lease) const;

  // Ordered by id.
  std::vector<LeaseId> Expired(absl::Duration now) const;
  // When the next lease runs out; nothing without leases.
  std::optional<absl::Duration> NextDeadline() const;

 private:
  struct Lease {
    absl::Duration ttl;
    absl::Duration deadline;
    std::set<std::string> keys;
  };
  std::map<LeaseId, Lease> leases_;
  std::map<std::string, LeaseId> lease_of_;
};

}  // namespace cluster::store
