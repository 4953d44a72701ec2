#include "node/pod/claim_book.h"

#include <algorithm>
#include <utility>

#include "node/pod/record.h"
#include "node/pod/transitions.h"
#include "node/volume/references.h"

namespace cluster::node {

std::vector<std::string> OnePodClaimsOf(const v1::Assignment& assignment) {
  std::vector<std::string> uids;
  for (const v1::Volume& volume : assignment.pod().spec().volumes()) {
    if (!volume.has_persistent_volume_claim()) continue;
    const v1::PersistentVolumeClaim* claim =
        FindClaim(assignment, volume.persistent_volume_claim().claim_name());
    if (claim == nullptr) continue;
    const auto& modes = claim->spec().access_modes();
    if (std::find(modes.begin(), modes.end(), v1::ACCESS_MODE_READ_WRITE_ONCE_POD) != modes.end()) {
      uids.push_back(claim->metadata().uid());
    }
  }
  return uids;
}

bool IsOver(const v1::PodRecord& record) {
  return record.gone() || (IsTerminal(record.phase()) && !AnyRuns(record));
}

std::optional<ClaimBook::Conflict> ClaimBook::Take(
    const std::string& pod, const std::vector<std::string>& claims,
    const std::function<bool(const std::string& pod)>& is_over) {
  MutexLock lock(&mutex_);
  for (const std::string& claim : claims) {
    const auto known = holders_.find(claim);
    if (known == holders_.end() || known->second == pod || is_over(known->second)) continue;
    waiting_[known->second].insert(pod);
    return Conflict{claim, known->second};
  }
  for (const std::string& claim : claims) holders_[claim] = pod;
  return std::nullopt;
}

std::set<std::string> ClaimBook::TakeWaiting(const std::string& holder) {
  MutexLock lock(&mutex_);
  const auto found = waiting_.find(holder);
  if (found == waiting_.end()) return {};
  std::set<std::string> waiting = std::move(found->second);
  waiting_.erase(found);
  return waiting;
}

}  // namespace cluster::node
