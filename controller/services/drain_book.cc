#include "controller/services/drain_book.h"

#include <limits>

namespace cluster::controller {

void DrainBook::Drop(int64_t version) {
  const auto found = versions_.find(version);
  if (--found->second == 0) versions_.erase(found);
}

void DrainBook::AddNode(const std::string& node) {
  if (nodes_.emplace(node, 0).second) ++versions_[0];
}

void DrainBook::Acknowledge(const std::string& node, int64_t version) {
  AddNode(node);
  int64_t& known = nodes_[node];
  Drop(known);
  known = version;
  ++versions_[known];
}

void DrainBook::RemoveNode(const std::string& node) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return;
  Drop(found->second);
  nodes_.erase(found);
}

int64_t DrainBook::everywhere() const {
  return versions_.empty() ? std::numeric_limits<int64_t>::max() : versions_.begin()->first;
}

std::string DrainBook::Laggard(int64_t version) const {
  std::string laggard;
  for (const auto& [node, known] : nodes_) {
    if (known < version && (laggard.empty() || node < laggard)) laggard = node;
  }
  return laggard;
}

void DrainBook::SetDue(const std::string& uid, Held* held, absl::Duration due) {
  due_.erase({held->due, uid});
  held->due = due;
  due_.emplace(due, uid);
}

void DrainBook::Hold(const std::string& uid, const std::string& key, int64_t version,
                     absl::Duration deadline) {
  Forget(uid);
  SetDue(uid, &(held_[uid] = Held{key, version, deadline, false}), deadline);
  waiting_.emplace(version, uid);
}

void DrainBook::Forget(const std::string& uid) {
  const auto found = held_.find(uid);
  if (found == held_.end()) return;
  waiting_.erase({found->second.version, uid});
  due_.erase({found->second.due, uid});
  held_.erase(found);
}

std::vector<DrainBook::Drained> DrainBook::TakeDrained(absl::Duration now) {
  while (!waiting_.empty() && waiting_.begin()->first <= everywhere()) {
    const std::string uid = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    Held& held = held_.at(uid);
    held.everywhere = true;
    SetDue(uid, &held, now + pause_);
  }
  std::vector<Drained> drained;
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string uid = due_.begin()->second;
    const Held& held = held_.at(uid);
    drained.push_back(Drained{uid, held.key, held.everywhere ? "" : Laggard(held.version)});
    Forget(uid);
  }
  return drained;
}

absl::Duration DrainBook::next() const {
  return due_.empty() ? absl::InfiniteDuration() : due_.begin()->first;
}

}  // namespace cluster::controller
