#include "base/strand.h"

#include <pthread.h>

#include "base/clock.h"

namespace cluster {

Strand::Strand(std::string name) : name_(std::move(name)), thread_([this] { Run(); }) {}

Strand::~Strand() { Stop(); }

void Strand::Post(Task task) {
  MutexLock lock(&mutex_);
  if (stopped_) return;
  posted_.push_back(std::move(task));
  changed_.Signal();
}

void Strand::PostAfter(absl::Duration delay, Task task) {
  const absl::Duration due = RealClock()->Monotonic() + delay;
  MutexLock lock(&mutex_);
  if (stopping_ || stopped_) return;
  delayed_.emplace(due, std::move(task));
  changed_.Signal();
}

void Strand::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

bool Strand::IsCurrent() const { return std::this_thread::get_id() == thread_.get_id(); }

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
