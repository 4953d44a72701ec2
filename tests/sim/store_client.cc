#include "tests/sim/store_client.h"

#include <algorithm>
#include <utility>

namespace cluster::sim {
namespace {

Nanos Within(Nanos most, Random* random) {
  return most <= 0 ? 0 : static_cast<Nanos>(random->Below(static_cast<uint64_t>(most)));
}

// Hands a watch's batches on, in order, each some time after it was committed. What is there when
// the watch begins comes at once.
class DelayedWatch : public store::WatchHandle, private store::WatchSink {
 public:
  DelayedWatch(Timeline* time, Process* process, Random* random, const StoreWeather* weather,
               store::WatchSink* sink)
      : time_(time),
        process_(process),
        random_(random),
        weather_(weather),
        shared_(std::make_shared<Shared>(Shared{sink, false})) {}
  ~DelayedWatch() override {
    shared_->over = true;
    inner_.reset();
  }

  void Begin(store::MemoryStore* disk, const std::string& prefix, store::Rev after) {
    inner_ = disk->Watch(prefix, after, this);
    begun_ = true;
  }

 private:
  struct Shared {
    store::WatchSink* sink = nullptr;
    bool over = false;
  };

  void OnBatch(const store::Batch& batch) override {
    if (!begun_) return shared_->sink->OnBatch(batch);
    Hand([batch](store::WatchSink* sink) { sink->OnBatch(batch); });
  }
  void OnProgress(store::Rev rev) override {
    if (!begun_) return shared_->sink->OnProgress(rev);
    Hand([rev](store::WatchSink* sink) { sink->OnProgress(rev); });
  }
  void OnCompacted(store::Rev oldest) override {
    if (!begun_) return shared_->sink->OnCompacted(oldest);
    Hand([oldest](store::WatchSink* sink) { sink->OnCompacted(oldest); });
  }
  void Hand(std::function<void(store::WatchSink*)> call) {
    if (!process_->alive()) return;
    last_ = std::max(last_, time_->now() + Within(weather_->delivery, random_));
    process_->Run(last_, [shared = shared_, call = std::move(call)] {
      if (!shared->over) call(shared->sink);
    });
  }

  Timeline* const time_;
  Process* const process_;
  Random* const random_;
  const StoreWeather* const weather_;
  const std::shared_ptr<Shared> shared_;
  bool begun_ = false;
  Nanos last_ = 0;
  std::unique_ptr<store::WatchHandle> inner_;
};

}  // namespace

store::Fault FaultOf(const StoreWeather& weather, Random* random) {
  if (weather.full) return store::Fault::kNoSpace;
  if (weather.unavailable > 0 && random->Chance(weather.unavailable)) {
    return store::Fault::kUnavailable;
  }
  if (weather.unknown > 0 && random->Chance(weather.unknown)) {
    return random->Chance(0.5) ? store::Fault::kUnknownApplied : store::Fault::kUnknownLost;
  }
  return store::Fault::kNone;
}

// What was handed in and not applied yet, oldest first.
struct StoreClient::Pipe {
  std::deque<Asked> asked;
  Nanos last_apply = 0;
  Nanos last_answer = 0;
};

StoreClient::StoreClient(store::MemoryStore* disk, Timeline* time, Process* process, Random* random,
                         const StoreWeather* weather, int64_t term, std::function<void()> step)
    : disk_(disk),
      time_(time),
      process_(process),
      random_(random),
      weather_(weather),
      term_(term),
      step_(std::move(step)),
      pipe_(std::make_shared<Pipe>()) {}

StoreClient::~StoreClient() {
  const uint64_t applied = random_->Below(pipe_->asked.size() + 1);
  std::deque<Asked> asked = std::move(pipe_->asked);
  pipe_->asked.clear();
  for (uint64_t i = 0; i < applied; ++i) {
    disk_->Submit(std::move(asked[i].txn), [](const store::SubmitResult&) {});
  }
}

void StoreClient::Submit(store::Txn txn, store::SubmitCallback done) {
  if (process_->alive()) step_();
  if (!process_->alive()) return;
  pipe_->asked.push_back({std::move(txn), std::move(done)});
  pipe_->last_apply = std::max(pipe_->last_apply, time_->now() + Within(weather_->commit, random_));
  // The disk goes on by itself: that this process is paused or dead does not concern it.
  const auto apply = [pipe = pipe_, disk = disk_, time = time_, process = process_,
                      random = random_, weather = weather_] {
    if (pipe->asked.empty()) return;  // the process was killed meanwhile
    Asked next = std::move(pipe->asked.front());
    pipe->asked.pop_front();
    pipe->last_answer = std::max(pipe->last_answer, time->now() + Within(weather->answer, random));
    disk->Submit(std::move(next.txn), [&](store::SubmitResult result) {
      process->Run(pipe->last_answer, [done = std::move(next.done), result] { done(result); });
    });
  };
  time_->At(pipe_->last_apply, nullptr, apply);
}

std::unique_ptr<store::WatchHandle> StoreClient::Watch(const std::string& prefix, store::Rev after,
                                                       store::WatchSink* sink) {
  auto watch = std::make_unique<DelayedWatch>(time_, process_, random_, weather_, sink);
  watch->Begin(disk_, prefix, after);
  return watch;
}

}  // namespace cluster::sim
