#include "controller/session/lease_table.h"

namespace cluster::controller {

void LeaseTable::Renew(const std::string& node, absl::Duration at, absl::Duration length) {
  const absl::Duration end = at + length;
  const auto [found, added] = ends_.try_emplace(node, end);
  if (!added) {
    if (found->second >= end) return;
    by_end_.erase({found->second, node});
    found->second = end;
  }
  by_end_.insert({end, node});
}

void LeaseTable::Forget(const std::string& node) {
  const auto found = ends_.find(node);
  if (found == ends_.end()) return;
  by_end_.erase({found->second, node});
  ends_.erase(found);
}

void LeaseTable::Prolong(absl::Duration by) {
  by_end_.clear();
  for (auto& [node, end] : ends_) {
    end += by;
    by_end_.insert({end, node});
  }
}

std::vector<std::string> LeaseTable::TakeExpired(absl::Duration now) {
  std::vector<std::string> expired;
  while (!by_end_.empty() && by_end_.begin()->first <= now) {
    expired.push_back(by_end_.begin()->second);
    Forget(expired.back());
  }
  return expired;
}

absl::Duration LeaseTable::next() const {
  return by_end_.empty() ? absl::InfiniteDuration() : by_end_.begin()->first;
}

}  // namespace cluster::controller
