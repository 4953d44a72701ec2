#include "node/eviction/ranking.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

struct Use {
  int64_t used = 0;
  int64_t requested = 0;
  bool can_be_requested = false;
};

Use UseOf(Shortage shortage, const Candidate& candidate) {
  switch (shortage) {
    case Shortage::kMemory:
    case Shortage::kMemoryStall:
      return {candidate.memory, candidate.memory_request, true};
    case Shortage::kDisk:
      return {candidate.disk, candidate.disk_request, true};
    case Shortage::kInodes:
      return {candidate.inodes, 0, false};
    case Shortage::kPids:
      return {candidate.pids, 0, false};
  }
  return {};
}

}  // namespace

std::vector<Candidate> RankForEviction(Shortage shortage, std::vector<Candidate> candidates) {
  const auto key = [shortage](const Candidate& candidate) {
    const Use use = UseOf(shortage, candidate);
    const bool within = use.can_be_requested && use.used <= use.requested;
    return std::make_tuple(within, candidate.priority, use.requested - use.used, candidate.uid);
  };
  std::sort(candidates.begin(), candidates.end(),
            [&](const Candidate& a, const Candidate& b) { return key(a) < key(b); });
  return candidates;
}

std::string EvictionMessage(const Breach& breach, const Candidate& candidate) {
  const Use use = UseOf(breach.shortage, candidate);
  // A stall is a share of time; what the pod holds is memory.
  const Shortage unit =
      breach.shortage == Shortage::kMemoryStall ? Shortage::kMemory : breach.shortage;
  std::string message =
      absl::StrCat("The node was low on resource: ", ResourceName(breach.shortage),
                   ". Threshold quantity: ", AmountText(breach.shortage, breach.threshold),
                   breach.shortage == Shortage::kMemoryStall ? ", stalled: " : ", available: ",
                   AmountText(breach.shortage, breach.observed), ". The pod was using ",
                   AmountText(unit, use.used));
  if (use.can_be_requested) {
    absl::StrAppend(&message, ", its request is ", AmountText(unit, use.requested));
  }
  return message + ".";
}

}  // namespace cluster::node
