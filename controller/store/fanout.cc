#include "controller/store/fanout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"

#include "base/log.h"

namespace cluster::store {
namespace {

constexpr size_t kRingBatches = 1024;
constexpr size_t kRingBytes = 16 << 20;
// Once every watch has everything; those that begin with what was before read it from the history.
constexpr size_t kRingBytesAtRest = 1 << 20;

size_t BytesOf(const Batch& batch) {
  size_t bytes = sizeof(Batch);
  for (const Event& event : batch.events) {
    bytes += sizeof(Event) + event.kv.key.size() + event.kv.value.size();
  }
  return bytes;
}

}  // namespace

struct Fanout::Watcher {
  Watcher(std::string prefix_in, Rev after, WatchSink* sink_in)
      : prefix(std::move(prefix_in)), sink(sink_in), position(after) {}

  const std::string prefix;
  WatchSink* const sink;
  Rev position;               // delivered up to and including; the delivering thread's alone
  bool over = false;          // guarded by the fanout's mutex, like what follows
  bool busy = false;          // a delivery to it is running ...
  std::thread::id deliverer;  // ... on this thread
  bool seen = false;          // position was compared with now_ at least once
  Rev done = -1;              // copy of position under the lock
};

class Fanout::Handle : public WatchHandle {
 public:
  Handle(Fanout* fanout, std::shared_ptr<Watcher> watcher)
      : fanout_(fanout), watcher_(std::move(watcher)) {}
  ~Handle() override { fanout_->Remove(watcher_); }

 private:
  Fanout* const fanout_;
  const std::shared_ptr<Watcher> watcher_;
};

Fanout::Fanout(Rev now, ReadHistory read_history)
    : read_history_(std::move(read_history)), now_(now), ring_start_(now) {}

std::unique_ptr<WatchHandle> Fanout::Add(const std::string& prefix, Rev after, WatchSink* sink) {
  auto watcher = std::make_shared<Watcher>(prefix, after, sink);
  watcher->done = after;
  {
    MutexLock lock(&mutex_);
    watchers_.insert(watcher);
    changed_.SignalAll();
  }
  return std::make_unique<Handle>(this, std::move(watcher));
}

void Fanout::Remove(const std::shared_ptr<Watcher>& watcher) {
  MutexLock lock(&mutex_);
  watcher->over = true;
  watchers_.erase(watcher);
  while (watcher->busy && watcher->deliverer != std::this_thread::get_id()) {
    changed_.Wait(&mutex_);
  }
}

void Fanout::Publish(const std::vector<BatchPtr>& batches) {
  MutexLock lock(&mutex_);
  for (const BatchPtr& batch : batches) {
    ring_.push_back(batch);
    ring_bytes_ += BytesOf(*batch);
    now_ = batch->rev;
  }
  while (ring_.size() > kRingBatches || (ring_bytes_ > kRingBytes && ring_.size() > 1)) {
    DropFirst();
  }
  changed_.SignalAll();
}

void Fanout::DropFirst() {
  ring_bytes_ -= BytesOf(*ring_.front());
  ring_start_ = ring_.front()->rev;
  ring_.pop_front();
}

void Fanout::Shrink() {
  MutexLock lock(&mutex_);
  if (!Due().empty()) return;
  while (ring_bytes_ > kRingBytesAtRest && ring_.size() > 1) DropFirst();
}

void Fanout::SetOldest(Rev oldest) {
  MutexLock lock(&mutex_);
  oldest_ = std::max(oldest_, oldest);
}

std::vector<std::shared_ptr<Fanout::Watcher>> Fanout::Due() {
  std::vector<std::shared_ptr<Watcher>> due;
  for (const auto& watcher : watchers_) {
    if (watcher->done < now_ || !watcher->seen) due.push_back(watcher);
  }
  return due;
}

void Fanout::Run() {
  for (;;) {
    {
      MutexLock lock(&mutex_);
      while (!stopped_ && Due().empty()) changed_.Wait(&mutex_);
      if (stopped_) return;
    }
    Deliver();
  }
}

void Fanout::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.SignalAll();
}

void Fanout::Deliver() {
  for (;;) {
    std::vector<std::shared_ptr<Watcher>> due;
    {
      MutexLock lock(&mutex_);
      if (!stopped_) due = Due();
    }
    if (due.empty()) return Shrink();
    for (const auto& watcher : due) DeliverTo(watcher);
  }
}

void Fanout::DeliverTo(const std::shared_ptr<Watcher>& watcher) {
  {
    MutexLock lock(&mutex_);
    if (watcher->over) return;
    watcher->busy = true;
    watcher->deliverer = std::this_thread::get_id();
  }
  const bool goes_on = Hand(watcher.get(), ReadOn(watcher.get()));
  MutexLock lock(&mutex_);
  watcher->busy = false;
  watcher->seen = true;
  watcher->done = watcher->position;
  if (!goes_on) {
    watcher->over = true;
    watchers_.erase(watcher);
  }
  changed_.SignalAll();
}

HistorySlice Fanout::ReadOn(Watcher* watcher) {
  {
    MutexLock lock(&mutex_);
    HistorySlice slice;
    if (!watcher->seen && watcher->position < oldest_) {
      slice.oldest = oldest_;
      return slice;
    }
    if (watcher->position >= ring_start_) {
      slice.oldest = watcher->position;
      slice.through = now_;
      const auto first = std::partition_point(
          ring_.begin(), ring_.end(),
          [watcher](const BatchPtr& batch) { return batch->rev <= watcher->position; });
      slice.batches.assign(first, ring_.end());
      return slice;
    }
  }
  absl::StatusOr<HistorySlice> slice = read_history_(watcher->position);
  if (slice.ok()) return *std::move(slice);
  // The watch ends as if compacted: its owner lists again, and that listing tells the trouble.
  LOG_ERROR("store: cannot read the history after revision {}: {}", watcher->position,
            std::string(slice.status().message()));
  HistorySlice broken;
  broken.oldest = watcher->position + 1;
  return broken;
}

bool Fanout::Hand(Watcher* watcher, const HistorySlice& slice) {
  if (slice.oldest > watcher->position) {
    watcher->sink->OnCompacted(slice.oldest);
    return false;
  }
  for (const BatchPtr& batch : slice.batches) {
    {
      MutexLock lock(&mutex_);
      if (watcher->over) return false;
    }
    const auto outside = [watcher](const Event& event) {
      return !absl::StartsWith(event.kv.key, watcher->prefix);
    };
    if (watcher->prefix.empty() && !batch->events.empty()) {
      watcher->sink->OnBatch(*batch);
    } else if (!std::all_of(batch->events.begin(), batch->events.end(), outside)) {
      Batch part = *batch;
      part.events.erase(std::remove_if(part.events.begin(), part.events.end(), outside),
                        part.events.end());
      watcher->sink->OnBatch(part);
    }
    watcher->position = batch->rev;
  }
  watcher->position = std::max(watcher->position, slice.through);
  {
    MutexLock lock(&mutex_);
    if (watcher->over) return false;
  }
  watcher->sink->OnProgress(slice.through);
  return true;
}

}  // namespace cluster::store
