// What the node, its pods and their containers use, for whoever asks.
//
// Nothing is read while nobody asks. Counter files stay open between two questions, as far as half
// of the process' descriptors reach, and close a while after the last one; an answer that is young
// enough serves everybody who asks meanwhile.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/netlink.h"
#include "base/strand.h"
#include "cluster/v1/stats.pb.h"
#include "node/cgroup/tree.h"
#include "node/stats/group_meter.h"

namespace cluster::node {

// A pod that has a sandbox, and its containers that run.
struct SampledPod {
  std::string uid;
  std::string name_space;
  std::string name;
  std::vector<std::pair<std::string, int32_t>> containers;  // name, attempt
};

struct SamplerParts {
  CgroupTree* cgroups = nullptr;  // outlives the sampler
  const Clock* clock = nullptr;
  std::string node;
  // Bytes on the node's disk that are the pod's; may be empty.
  std::function<int64_t(const std::string& uid)> ephemeral_storage;
};

// Thread-safe. Reads on a thread of its own.
class Sampler {
 public:
  // CPU in use is a mean over the time since the look before, but over no less and no more than
  // these; a first question therefore takes the shorter one.
  static constexpr absl::Duration kShortestWindow = absl::Milliseconds(250);
  static constexpr absl::Duration kLongestWindow = absl::Seconds(60);

  explicit Sampler(SamplerParts parts);
  ~Sampler();

  using Pods = std::function<std::vector<SampledPod>()>;
  using Answer = std::function<void(v1::NodeStats)>;
  // Both are called from the sampler's thread; `answer` never after Stop.
  void Ask(Pods pods, Answer answer);
  void Stop() { strand_.Stop(); }

  // One look, now, on the caller's thread: for measurements, with nobody asking meanwhile.
  const v1::NodeStats& Look(const std::vector<SampledPod>& pods);

 private:
  // One group over several looks.
  struct Watched {
    bool known = false;  // looked at before
    std::optional<GroupMeter> meter;
    int64_t cpu_nanoseconds = 0;
    absl::Duration at;
    int64_t cpu_milli = 0;
    bool fresh = true;  // seen in the current look
  };

  void TakeQuestion(const Pods& pods);
  void AnswerAll();
  void CloseWhenIdle();
  // Nothing: the group is gone, or was not made yet.
  std::optional<v1::ResourceStats> Measure(
      const std::string& key, const std::function<absl::StatusOr<CgroupGroup>()>& find);
  void SetRate(int64_t cpu_nanoseconds, Watched* watched) const;
  void LookAtMachine();
  void LookAtPods(const std::vector<SampledPod>& pods);
  void LookAtLinks();

  const SamplerParts parts_;

  const size_t most_open_groups_;

  // On the strand.
  size_t open_groups_ = 0;
  std::map<std::string, Watched> groups_;  // "", "uid", "uid/container-attempt"
  Watched machine_;
  std::optional<netlink::Socket> links_;
  std::map<std::string, int> link_indexes_;  // by name
  v1::NodeStats last_;
  absl::Duration last_at_ = -absl::InfiniteDuration();
  absl::Duration previous_at_ = -absl::InfiniteDuration();
  std::vector<Answer> asking_;

  Strand strand_{"node-stats"};  // last: its thread uses everything above
};

}  // namespace cluster::node
