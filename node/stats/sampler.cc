#include "node/stats/sampler.h"

#include <sys/resource.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/netlink_route.h"
#include "base/status.h"
#include "node/network/lease.h"
#include "node/stats/link_counters.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

// An answer this young is everybody's.
constexpr absl::Duration kFreshFor = absl::Milliseconds(100);
constexpr char kWhole[] = "";

std::string Text(const char* path) { return ReadFile(path).value_or(""); }

size_t MostOpenGroups() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  return files.rlim_cur / 2 / GroupMeter::kFiles;
}

}  // namespace

Sampler::Sampler(SamplerParts parts)
    : parts_(std::move(parts)), most_open_groups_(MostOpenGroups()) {}

Sampler::~Sampler() { Stop(); }

void Sampler::Ask(Pods pods, Answer answer) {
  strand_.Post([this, pods = std::move(pods), answer = std::move(answer)]() mutable {
    asking_.push_back(std::move(answer));
    if (asking_.size() == 1) TakeQuestion(pods);
  });
}

void Sampler::TakeQuestion(const Pods& pods) {
  const absl::Duration now = parts_.clock->Monotonic();
  // Fresh, and the mean in it is over a time that means something.
  if (now - last_at_ < kFreshFor && previous_at_ >= now - kLongestWindow) return AnswerAll();
  const bool lonely = now - last_at_ > kLongestWindow;
  const absl::Duration since = lonely ? absl::ZeroDuration() : now - last_at_;
  if (lonely) Look(pods());
  const auto look_and_answer = [this, pods] {
    Look(pods());
    AnswerAll();
  };
  if (since >= kShortestWindow) return look_and_answer();
  strand_.PostAfter(kShortestWindow - since, look_and_answer);
}

void Sampler::AnswerAll() {
  std::vector<Answer> asking;
  asking.swap(asking_);
  for (const Answer& answer : asking) answer(last_);
  strand_.PostAfter(kLongestWindow, [this] { CloseWhenIdle(); });
}

void Sampler::CloseWhenIdle() {
  if (parts_.clock->Monotonic() - last_at_ < kLongestWindow || !asking_.empty()) return;
  groups_.clear();
  open_groups_ = 0;
  links_.reset();
  link_indexes_.clear();
}

void Sampler::SetRate(int64_t cpu_nanoseconds, Watched* watched) const {
  const absl::Duration now = parts_.clock->Monotonic();
  // One that was not there at the last look began to use cpu after it.
  const absl::Duration since = watched->known ? watched->at : previous_at_;
  const absl::Duration window = now - since;
  if (window <= absl::ZeroDuration() || window > kLongestWindow) {
    watched->cpu_milli = 0;
  } else {
    const int64_t used = cpu_nanoseconds - watched->cpu_nanoseconds;
    watched->cpu_milli = static_cast<int64_t>(
        static_cast<double>(used) / absl::ToDoubleNanoseconds(window) * 1000.0 + 0.5);
  }
  watched->cpu_nanoseconds = cpu_nanoseconds;
  watched->at = now;
  watched->known = true;
}

std::optional<v1::ResourceStats> Sampler::Measure(
    const std::string& key, const std::function<absl::StatusOr<CgroupGroup>()>& find) {
  Watched& watched = groups_[key];
  watched.fresh = true;
  absl::StatusOr<GroupReading> reading = absl::NotFoundError("no meter");
  std::optional<GroupMeter> opened;
  if (watched.meter) {
    reading = watched.meter->Read();
  } else if (const auto group = find(); group.ok()) {
    auto meter = GroupMeter::Open(*group);
    if (meter.ok()) {
      reading = meter->Read();
      opened = *std::move(meter);
    } else {
      reading = meter.status();
    }
  }
  if (!reading.ok()) {
    // A pod that is being made or has just gone has no group; anything else is worth a word.
    if (!absl::IsNotFound(reading.status())) {
      LOG_WARN("statistics of {}: {}", key, reading.status().ToString());
    }
    watched.fresh = false;
    return std::nullopt;
  }
  SetRate(reading->cpu_nanoseconds, &watched);
  if (opened && open_groups_ < most_open_groups_) {
    watched.meter = std::move(opened);
    ++open_groups_;
  }
  v1::ResourceStats stats = ToStats(*reading);
  stats.set_cpu_milli(watched.cpu_milli);
  return stats;
}

void Sampler::LookAtMachine() {
  v1::ResourceStats* machine = last_.mutable_machine();
  const int64_t cpu = ReadMachineCpu(Text("/proc/stat"), ::sysconf(_SC_CLK_TCK));
  SetRate(cpu, &machine_);
  machine->set_cpu_nanoseconds(cpu);
  machine->set_cpu_milli(machine_.cpu_milli);
  const std::string memory = Text("/proc/meminfo");
  const int64_t total = ReadMemoryInfo(memory, "MemTotal");
  machine->set_memory_limit_bytes(total);
  machine->set_memory_bytes(total - ReadMemoryInfo(memory, "MemFree"));
  machine->set_memory_working_set_bytes(total - ReadMemoryInfo(memory, "MemAvailable"));
  machine->set_memory_rss_bytes(ReadMemoryInfo(memory, "AnonPages"));
  machine->set_pids(ReadTasks(Text("/proc/loadavg")));
  *machine->mutable_cpu_pressure() = ToPressure(ReadStall(Text("/proc/pressure/cpu")));
  *machine->mutable_memory_pressure() = ToPressure(ReadStall(Text("/proc/pressure/memory")));
  *machine->mutable_io_pressure() = ToPressure(ReadStall(Text("/proc/pressure/io")));
}

void Sampler::LookAtPods(const std::vector<SampledPod>& pods) {
  for (const SampledPod& pod : pods) {
    const auto of_pod = Measure(pod.uid, [&] { return parts_.cgroups->FindPod(pod.uid); });
    if (!of_pod) continue;
    v1::PodStats* stats = last_.add_pods();
    stats->set_namespace_(pod.name_space);
    stats->set_name(pod.name);
    stats->set_uid(pod.uid);
    *stats->mutable_resources() = *of_pod;
    if (parts_.ephemeral_storage) {
      stats->mutable_resources()->set_ephemeral_storage_bytes(parts_.ephemeral_storage(pod.uid));
    }
    for (const auto& [container, attempt] : pod.containers) {
      const std::string leaf = absl::StrCat(container, "-", attempt);
      const auto of_container = Measure(absl::StrCat(pod.uid, "/", leaf),
                                        [&] { return parts_.cgroups->FindLeaf(pod.uid, leaf); });
      if (!of_container) continue;
      v1::ContainerStats* one = stats->add_containers();
      one->set_name(container);
      *one->mutable_resources() = *of_container;
    }
  }
}

// What the node's end of a pod's link receives, the pod has sent.
void Sampler::LookAtLinks() {
  if (!links_) {
    auto socket = netlink::Socket::Open();
    if (!socket.ok()) return LOG_WARN("statistics of links: {}", socket.status().ToString());
    links_ = *std::move(socket);
  }
  const auto counters = ReadLinkCounters(*links_);
  if (!counters.ok()) return LOG_WARN("statistics: {}", counters.status().ToString());
  bool listed = false;
  for (v1::PodStats& pod : *last_.mutable_pods()) {
    const std::string name = PodLinkName(pod.uid());
    if (!link_indexes_.contains(name) && !std::exchange(listed, true)) {
      const auto links = netlink::ListLinks(*links_);
      link_indexes_.clear();
      for (const netlink::Link& link : links.ok() ? *links : std::vector<netlink::Link>()) {
        if (absl::StartsWith(link.name, kPodLinkPrefix)) link_indexes_[link.name] = link.index;
      }
    }
    const auto index = link_indexes_.find(name);
    const auto found =
        index == link_indexes_.end() ? counters->end() : counters->find(index->second);
    if (found == counters->end()) continue;
    v1::NetworkStats* network = pod.mutable_network();
    network->set_received_bytes(found->second.sent_bytes);
    network->set_received_packets(found->second.sent_packets);
    network->set_sent_bytes(found->second.received_bytes);
    network->set_sent_packets(found->second.received_packets);
    network->set_dropped_packets(found->second.dropped_packets);
  }
}

const v1::NodeStats& Sampler::Look(const std::vector<SampledPod>& pods) {
  previous_at_ = last_at_;
  for (auto& [key, watched] : groups_) watched.fresh = false;
  last_.Clear();
  last_.set_node(parts_.node);
  *last_.mutable_time() = ToTimestamp(parts_.clock->Now());
  LookAtMachine();
  if (const auto whole = Measure(kWhole, [this] { return parts_.cgroups->FindWhole(); })) {
    *last_.mutable_pods_total() = *whole;
  }
  LookAtPods(pods);
  if (last_.pods_size() > 0) LookAtLinks();
  std::erase_if(groups_, [this](const auto& entry) {
    if (entry.second.fresh) return false;
    if (entry.second.meter) --open_groups_;
    return true;
  });
  last_at_ = parts_.clock->Monotonic();
  return last_;
}

}  // namespace cluster::node
