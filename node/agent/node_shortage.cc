#include "node/agent/node_shortage.h"

#include <utility>

#include "base/log.h"
#include "node/pod/decide.h"
#include "node/pod/resize.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

constexpr char kDisk[] = "ephemeral-storage";

int64_t DiskRequest(const v1::PodSpec& spec) {
  return EffectiveAmount(spec, [](const v1::Container& container) {
    const auto request = container.resources().requests().find(kDisk);
    if (request == container.resources().requests().end()) return int64_t{0};
    return QuantityBytes(request->second).value_or(0);
  });
}

bool MayBeEvicted(const v1::PodRecord& record) {
  return !record.gone() && !record.failing() && !IsEnding(record) && !IsTerminal(record.phase()) &&
         AnyRuns(record);
}

// From the record alone: what it uses comes later, without any lock.
std::vector<Candidate> Running(const PodWorkers& workers) {
  std::vector<Candidate> candidates;
  workers.Visit([&candidates](const v1::PodRecord& record) {
    if (!MayBeEvicted(record)) return;
    const v1::Pod& pod = record.assignment().pod();
    Candidate candidate;
    candidate.uid = record.uid();
    candidate.name_space = pod.metadata().namespace_();
    candidate.name = pod.metadata().name();
    candidate.priority = pod.spec().priority();
    candidate.memory_request = GrantedRequests(record).memory_bytes;
    candidate.disk_request = DiskRequest(pod.spec());
    candidates.push_back(std::move(candidate));
  });
  return candidates;
}

// A pod that cannot be looked at is passed over: it may just have gone.
void Measure(const ShortageSource& source, Shortage shortage, Candidate* candidate) {
  if (shortage != Shortage::kDisk && shortage != Shortage::kInodes) {
    const absl::StatusOr<PodUse> use = source.pod(candidate->uid);
    if (!use.ok()) return;
    candidate->memory = use->memory;
    candidate->pids = use->pids;
    return;
  }
  if (!source.disk) return;
  const absl::StatusOr<PodDisk> disk = source.disk(candidate->uid);
  if (!disk.ok()) return;
  candidate->disk = disk->total();
  candidate->inodes = disk->inodes;
}

std::vector<Overrun> FindOverruns(const ShortageSource& source, const PodWorkers& workers) {
  std::vector<std::pair<std::string, v1::PodSpec>> limited;
  workers.Visit([&limited](const v1::PodRecord& record) {
    const v1::PodSpec& spec = record.assignment().pod().spec();
    if (MayBeEvicted(record) && HasDiskLimits(spec)) limited.emplace_back(record.uid(), spec);
  });
  std::vector<Overrun> overruns;
  for (const auto& [uid, spec] : limited) {
    const absl::StatusOr<PodDisk> disk = source.disk(uid);
    if (!disk.ok()) {
      LOG_WARN("pod {}: cannot measure its disk: {}", uid, disk.status().ToString());
      continue;
    }
    std::string message = DiskOverrun(spec, *disk);
    if (!message.empty()) overruns.push_back({uid, std::move(message)});
  }
  return overruns;
}

}  // namespace

EvictorParts ShortageParts(ShortageSource source, PodWorkers* workers, const Clock* clock,
                           std::function<void()> changed) {
  EvictorParts parts;
  parts.clock = clock;
  parts.numbers = source.node;
  parts.candidates = [source, workers](Shortage shortage) {
    std::vector<Candidate> candidates = Running(*workers);
    for (Candidate& candidate : candidates) Measure(source, shortage, &candidate);
    return candidates;
  };
  parts.is_running = [workers](const std::string& uid) {
    bool runs = false;
    workers->Visit([&](const v1::PodRecord& record) {
      if (record.uid() == uid) runs = AnyRuns(record);
    });
    return runs;
  };
  if (source.disk) {
    parts.overruns = [source, workers] { return FindOverruns(source, *workers); };
  }
  parts.evict = [workers](const std::string& uid, const std::string& message,
                          absl::Duration grace) { workers->Evict(uid, message, grace); };
  parts.changed = std::move(changed);
  return parts;
}

}  // namespace cluster::node
