#include "node/session/status_outbox.h"

#include <utility>

namespace cluster::node {

void StatusOutbox::SetListener(std::function<void()> listener) {
  MutexLock lock(&mutex_);
  listener_ = std::move(listener);
}

void StatusOutbox::Put(v1::PodStatusUpdate update) {
  std::function<void()> listener;
  {
    MutexLock lock(&mutex_);
    update.set_sequence(++sequence_);
    pods_[update.uid()] = std::move(update);
    listener = listener_;
  }
  if (listener) listener();
}

void StatusOutbox::Put(v1::Event event) {
  std::function<void()> listener;
  {
    MutexLock lock(&mutex_);
    if (events_.size() >= kMaxEvents) events_.pop_front();
    events_.push_back(std::move(event));
    listener = listener_;
  }
  if (listener) listener();
}

bool StatusOutbox::Take(int64_t sequence, v1::StatusBatch* batch) {
  MutexLock lock(&mutex_);
  while (!pods_.empty() && batch->pods_size() < kMaxBatch) {
    *batch->add_pods() = std::move(pods_.begin()->second);
    pods_.erase(pods_.begin());
  }
  while (!events_.empty() && batch->events_size() < kMaxBatch) {
    *batch->add_events() = std::move(events_.front());
    events_.pop_front();
  }
  if (batch->pods().empty() && batch->events().empty()) return false;
  batch->set_sequence(sequence);
  sent_[sequence] = *batch;
  return true;
}

void StatusOutbox::Acknowledge(int64_t sequence) {
  MutexLock lock(&mutex_);
  sent_.erase(sent_.begin(), sent_.upper_bound(sequence));
}

void StatusOutbox::Requeue() {
  MutexLock lock(&mutex_);
  // Newest batch first: what is already there is newer.
  while (!sent_.empty()) {
    v1::StatusBatch batch = std::move(std::prev(sent_.end())->second);
    sent_.erase(std::prev(sent_.end()));
    for (v1::PodStatusUpdate& update : *batch.mutable_pods()) {
      std::string uid = update.uid();
      pods_.try_emplace(std::move(uid), std::move(update));
    }
    for (int i = batch.events_size(); i-- > 0 && events_.size() < kMaxEvents;) {
      events_.push_front(std::move(*batch.mutable_events(i)));
    }
  }
}

size_t StatusOutbox::Waiting() const {
  MutexLock lock(&mutex_);
  size_t waiting = pods_.size() + events_.size();
  for (const auto& [sequence, batch] : sent_) {
    waiting += static_cast<size_t>(batch.pods_size()) + static_cast<size_t>(batch.events_size());
  }
  return waiting;
}

}  // namespace cluster::node
