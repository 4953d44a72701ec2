#include "controller/store/leases.h"

#include <algorithm>

namespace cluster::store {

void LeaseBook::Add(LeaseId lease, absl::Duration ttl, absl::Duration now) {
  leases_[lease] = Lease{ttl, now + ttl, {}};
}

void LeaseBook::Remove(LeaseId lease) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return;
  for (const std::string& key : found->second.keys) lease_of_.erase(key);
  leases_.erase(found);
}

bool LeaseBook::Renew(LeaseId lease, absl::Duration now) {
  const auto found = leases_.find(lease);
  if (found == leases_.end() || found->second.deadline <= now) return false;
  found->second.deadline = now + found->second.ttl;
  return true;
}

void LeaseBook::Attach(const std::string& key, LeaseId lease) {
  const auto old = lease_of_.find(key);
  if (old != lease_of_.end()) {
    const auto holder = leases_.find(old->second);
    if (holder != leases_.end()) holder->second.keys.erase(key);
    lease_of_.erase(old);
  }
  const auto found = leases_.find(lease);
  if (lease == 0 || found == leases_.end()) return;
  found->second.keys.insert(key);
  lease_of_[key] = lease;
}

std::vector<std::string> LeaseBook::KeysOf(LeaseId lease) const {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return {};
  return {found->second.keys.begin(), found->second.keys.end()};
}

std::vector<LeaseId> LeaseBook::Expired(absl::Duration now) const {
  std::vector<LeaseId> expired;
  for (const auto& [id, lease] : leases_) {
    if (lease.deadline <= now) expired.push_back(id);
  }
  return expired;
}

std::optional<absl::Duration> LeaseBook::NextDeadline() const {
  std::optional<absl::Duration> next;
  for (const auto& [id, lease] : leases_) {
    next = next.has_value() ? std::min(*next, lease.deadline) : lease.deadline;
  }
  return next;
}

}  // namespace cluster::store
