#include "node/eviction/evictor.h"

#include <utility>

#include "base/log.h"

namespace cluster::node {
namespace {

// Hints may come in bursts.
constexpr absl::Duration kShortestPause = absl::Seconds(1);

}  // namespace

Evictor::Evictor(EvictorOptions options, EvictorParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      crossed_(options_.thresholds),
      pressure_(options_.hold) {}

Evictor::~Evictor() { Stop(); }

void Evictor::Stop() {
  strand_.Stop();
  counting_.Stop();
}

void Evictor::Start() {
  strand_.Post([this] { LookAgain(); });
}

void Evictor::Hint() {
  strand_.Post([this] {
    if (parts_.clock->Monotonic() - looked_at_ >= kShortestPause) LookAtNode();
  });
}

void Evictor::LookAgain() {
  LookAtNode();
  // Counts never pile up.
  if (!is_counting_.exchange(true)) {
    counting_.Post([this] {
      EndOverruns();
      is_counting_ = false;
    });
  }
  strand_.PostAfter(options_.period, [this] { LookAgain(); });
}

std::vector<v1::Condition> Evictor::Conditions() const {
  MutexLock lock(&mutex_);
  return conditions_;
}

void Evictor::Look() {
  LookAtNode();
  EndOverruns();
}

void Evictor::EndOverruns() {
  if (!parts_.overruns) return;
  for (const Overrun& overrun : parts_.overruns()) {
    parts_.evict(overrun.uid, overrun.message, absl::ZeroDuration());
  }
}

void Evictor::LookAtNode() {
  looked_at_ = parts_.clock->Monotonic();
  const absl::StatusOr<NodeNumbers> numbers = parts_.numbers();
  if (!numbers.ok()) {
    if (!std::exchange(complained_, true)) {
      LOG_ERROR("cannot see what the node has left, nothing is evicted: {}",
                numbers.status().ToString());
    }
    return;
  }
  complained_ = false;
  // A soft threshold tells of pressure at once: nothing new comes while it lasts.
  const bool changed =
      pressure_.Observe(Breaches(options_.thresholds, *numbers), looked_at_, parts_.clock->Now());
  {
    MutexLock lock(&mutex_);
    conditions_ = pressure_.conditions();
  }
  if (changed && parts_.changed) parts_.changed();
  const std::vector<Breach> due = Breaches(crossed_.Due(*numbers, looked_at_), *numbers);
  if (!due.empty() && !IsWaiting(due.front())) EvictOne(due.front());
}

// One that may end in peace for a soft threshold holds up no hard one.
bool Evictor::IsWaiting(const Breach& breach) {
  if (leaving_.empty()) return false;
  const bool pressing = leaves_in_peace_ && !breach.soft;
  const absl::Duration patience =
      options_.leave_time + (leaves_in_peace_ ? options_.max_grace : absl::ZeroDuration());
  const bool over = parts_.clock->Monotonic() - leaving_since_ >= patience;
  if (pressing || over || !parts_.is_running(leaving_)) leaving_.clear();
  return !leaving_.empty();
}

// The first breach is the most urgent one; what is done about it may mend the others.
void Evictor::EvictOne(const Breach& breach) {
  const std::vector<Candidate> ranked =
      RankForEviction(breach.shortage, parts_.candidates(breach.shortage));
  if (ranked.empty()) {
    LOG_WARN("the node is short of {} and has no pod to end",
             std::string(ResourceName(breach.shortage)));
    return;
  }
  const Candidate& victim = ranked.front();
  const std::string message = EvictionMessage(breach, victim);
  LOG_WARN("evicting pod {}/{}: {}", victim.name_space, victim.name, message);
  leaving_ = victim.uid;
  leaving_since_ = parts_.clock->Monotonic();
  leaves_in_peace_ = breach.soft;
  parts_.evict(victim.uid, message, breach.soft ? options_.max_grace : absl::ZeroDuration());
}

}  // namespace cluster::node
