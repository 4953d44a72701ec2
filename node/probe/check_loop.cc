#include "node/probe/check_loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"

namespace cluster::node {
namespace {

constexpr size_t kStrands = 4;
constexpr int kEvents = 64;
constexpr absl::Duration kLongestSleep = absl::Hours(1);

}  // namespace

// Rung by wakers of any thread and any age.
struct CheckLoop::Bell {
  Mutex mutex;
  CheckLoop* loop ABSL_GUARDED_BY(mutex) = nullptr;  // null once it is stopped
};

class CheckLoop::Turn : public LookupTurn {
 public:
  explicit Turn(CheckLoop* loop) : loop_(loop) { ++loop_->lookups_; }
  ~Turn() override { loop_->EndLookup(); }

 private:
  CheckLoop* const loop_;
};

class CheckLoop::Context : public CheckContext {
 public:
  Context(CheckLoop* loop, uint64_t id) : loop_(loop), id_(id) {}

  absl::Status Watch(int fd) override {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = id_;
    if (epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
    return ErrnoStatus("epoll_ctl");
  }
  std::function<void()> Waker() override {
    return [bell = loop_->bell_, id = id_] {
      MutexLock lock(&bell->mutex);
      if (bell->loop == nullptr) return;
      {
        MutexLock inner(&bell->loop->mutex_);
        bell->loop->woken_.insert(id);
      }
      bell->loop->Knock();
    };
  }
  void StepAfter(absl::Duration delay) override {
    loop_->SetAlarm(id_, loop_->clock_->Monotonic() + delay);
  }
  void Offload(std::function<void()> work) override {
    loop_->strands_[loop_->running_.at(id_).strand]->Post(std::move(work));
  }
  std::unique_ptr<LookupTurn> TakeLookupTurn() override {
    if (loop_->lookups_ < kMostLookups) return std::make_unique<Turn>(loop_);
    loop_->lookups_waiting_.push_back(id_);
    return nullptr;
  }
  const std::string& NameServers() const override { return loop_->name_servers_; }

 private:
  CheckLoop* const loop_;
  const uint64_t id_;
};

CheckLoop::CheckLoop(const Clock* clock, Tick tick, std::string name_servers)
    : clock_(clock),
      tick_(std::move(tick)),
      name_servers_(std::move(name_servers)),
      bell_(std::make_shared<Bell>()) {
  MutexLock lock(&bell_->mutex);
  bell_->loop = this;
}

absl::StatusOr<std::unique_ptr<CheckLoop>> CheckLoop::Start(const Clock* clock, Tick tick,
                                                            std::string name_servers) {
  std::unique_ptr<CheckLoop> loop(new CheckLoop(clock, std::move(tick), std::move(name_servers)));
  loop->epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_) return ErrnoStatus("epoll_create1");
  loop->knock_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->knock_) return ErrnoStatus("eventfd");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  if (epoll_ctl(loop->epoll_.get(), EPOLL_CTL_ADD, loop->knock_.get(), &event) != 0) {
    return ErrnoStatus("epoll_ctl", "eventfd");
  }
  for (size_t i = 0; i < kStrands; ++i) {
    loop->strands_.push_back(std::make_unique<Strand>(absl::StrCat("check-", i)));
  }
  loop->thread_ = std::thread([raw = loop.get()] { raw->Loop(); });
  pthread_setname_np(loop->thread_.native_handle(), "checks");
  return loop;
}

CheckLoop::~CheckLoop() { Stop(); }

void CheckLoop::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Knock();
  if (thread_.joinable()) thread_.join();
  {
    MutexLock lock(&bell_->mutex);
    bell_->loop = nullptr;
  }
  for (const auto& strand : strands_) strand->Stop();
}

void CheckLoop::Knock() {
  if (knock_) eventfd_write(knock_.get(), 1);
}

void CheckLoop::Wake() { Knock(); }

void CheckLoop::Run(std::unique_ptr<Check> check, const std::string& key, absl::Duration timeout,
                    Done done) {
  Running running;
  running.check = std::move(check);
  running.done = std::move(done);
  running.strand = std::hash<std::string>()(key) % kStrands;
  running.timeout = timeout;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return;
    new_.push_back(std::move(running));
  }
  Knock();
}

void CheckLoop::TakeNew() {
  std::vector<Running> begun;
  std::set<uint64_t> woken;
  {
    MutexLock lock(&mutex_);
    begun.swap(new_);
    woken.swap(woken_);
  }
  for (Running& running : begun) {
    const uint64_t id = next_id_++;
    running.deadline = clock_->Monotonic() + running.timeout;
    if (running.deadline != absl::InfiniteDuration()) deadlines_.insert({running.deadline, id});
    running_.emplace(id, std::move(running));
    Step(id);
  }
  for (const uint64_t id : woken) Step(id);
}

void CheckLoop::Step(uint64_t id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  Context context(this, id);
  std::optional<ProbeOutcome> outcome = found->second.check->Step(context);
  if (outcome.has_value()) Finish(id, *std::move(outcome));
}

void CheckLoop::Finish(uint64_t id, ProbeOutcome outcome) {
  const auto found = running_.find(id);
  if (found->second.deadline != absl::InfiniteDuration()) {
    deadlines_.erase({found->second.deadline, id});
  }
  SetAlarm(id, absl::InfiniteDuration());
  // What it held is gone before anybody hears of its end.
  found->second.check.reset();
  const Done done = std::move(found->second.done);
  running_.erase(found);
  done(std::move(outcome));
}

void CheckLoop::EndOverdue(absl::Duration now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const uint64_t id = deadlines_.begin()->second;
    Finish(id, running_.at(id).check->Overdue());
  }
}

void CheckLoop::SetAlarm(uint64_t id, absl::Duration at) {
  absl::Duration& alarm = running_.at(id).alarm;
  if (alarm != absl::InfiniteDuration()) alarms_.erase({alarm, id});
  alarm = at;
  if (alarm != absl::InfiniteDuration()) alarms_.insert({alarm, id});
}

void CheckLoop::RingAlarms(absl::Duration now) {
  while (!alarms_.empty() && alarms_.begin()->first <= now) {
    const uint64_t id = alarms_.begin()->second;
    SetAlarm(id, absl::InfiniteDuration());
    Step(id);
  }
}

// One more may ask: the first of those that wait and are still there.
void CheckLoop::EndLookup() {
  --lookups_;
  while (!lookups_waiting_.empty()) {
    const uint64_t id = lookups_waiting_.front();
    lookups_waiting_.pop_front();
    if (!running_.contains(id)) continue;
    MutexLock lock(&mutex_);
    woken_.insert(id);
    Knock();
    return;
  }
}

void CheckLoop::Loop() {
  epoll_event events[kEvents];
  for (;;) {
    {
      MutexLock lock(&mutex_);
      if (stopping_) break;
    }
    TakeNew();
    const absl::Duration now = clock_->Monotonic();
    EndOverdue(now);
    RingAlarms(now);
    absl::Duration next = std::min(tick_(now), now + kLongestSleep);
    for (const auto* due : {&deadlines_, &alarms_}) {
      if (!due->empty()) next = std::min(next, due->begin()->first);
    }
    const absl::Duration sleep = std::max(absl::ZeroDuration(), next - clock_->Monotonic());
    const int count = epoll_wait(
        epoll_.get(), events, kEvents,
        static_cast<int>(absl::Ceil(sleep, absl::Milliseconds(1)) / absl::Milliseconds(1)));
    if (count < 0 && errno != EINTR) {
      LOG_ERROR("checks: epoll_wait: {}", std::string(ErrnoName(errno)));
      break;
    }
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 != 0) {
        Step(events[i].data.u64);
      } else {
        eventfd_t knocks = 0;
        eventfd_read(knock_.get(), &knocks);
      }
    }
  }
  // What they take back looks for others that wait: there are none any more.
  const std::map<uint64_t, Running> left = std::exchange(running_, {});
  deadlines_.clear();
  alarms_.clear();
}

}  // namespace cluster::node
