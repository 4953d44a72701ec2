#include "base/strand.h"

#include <pthread.h>

#include <future>

#include "base/clock.h"

namespace cluster {

Strand::Strand(std::string name, Executor* executor)
    : name_(std::move(name)),
      executor_(executor),
      number_(executor == nullptr ? 0 : executor->Begin()),
      thread_(executor == nullptr ? std::thread([this] { Run(); }) : std::thread()) {}

Strand::~Strand() { Stop(); }

void Strand::Post(Task task) {
  if (executor_ != nullptr) return executor_->Post(number_, absl::ZeroDuration(), std::move(task));
  MutexLock lock(&mutex_);
  if (stopped_) return;
  posted_.push_back(std::move(task));
  changed_.Signal();
}

void Strand::PostAfter(absl::Duration delay, Task task) {
  if (executor_ != nullptr) return executor_->Post(number_, delay, std::move(task));
  const absl::Duration due = RealClock()->Monotonic() + delay;
  MutexLock lock(&mutex_);
  if (stopping_ || stopped_) return;
  delayed_.emplace(due, std::move(task));
  changed_.Signal();
}

void Strand::Call(const Task& task) {
  if (executor_ != nullptr) return executor_->Call(number_, task);
  // The task may still be on its last words when this function has returned: it owns the promise.
  auto over = std::make_shared<std::promise<void>>();
  Post([&task, over] {
    task();
    over->set_value();
  });
  over->get_future().wait();
}

void Strand::Stop() {
  if (executor_ != nullptr) return executor_->End(number_);
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

bool Strand::IsCurrent() const {
  if (executor_ != nullptr) return executor_->IsCurrent(number_);
  return std::this_thread::get_id() == thread_.get_id();
}

bool Strand::Take(std::vector<Task>* tasks) {
  MutexLock lock(&mutex_);
  while (true) {
    if (stopping_) delayed_.clear();
    const absl::Duration now = RealClock()->Monotonic();
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      tasks->push_back(std::move(delayed_.begin()->second));
      delayed_.erase(delayed_.begin());
    }
    for (Task& task : posted_) tasks->push_back(std::move(task));
    posted_.clear();
    if (!tasks->empty()) return true;
    if (stopping_) {
      stopped_ = true;
      return false;
    }
    if (delayed_.empty()) {
      changed_.Wait(&mutex_);
    } else {
      changed_.WaitFor(&mutex_, delayed_.begin()->first - now);
    }
  }
}

void Strand::Run() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  std::vector<Task> tasks;
  while (Take(&tasks)) {
    for (Task& task : tasks) {
      task();
      task = nullptr;
    }
    tasks.clear();
  }
}

}  // namespace cluster
