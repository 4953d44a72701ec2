#include "tests/sim/timeline.h"

#include <algorithm>
#include <utility>

#include "tests/sim/process.h"

namespace cluster::sim {

void Timeline::At(Nanos when, Process* owner, Task task) {
  uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  entries_[slot] = {owner, std::move(task)};
  heap_.push_back({std::max(when, now_), ++last_, slot});
  std::push_heap(heap_.begin(), heap_.end(), IsLater);
}

bool Timeline::Step(Nanos limit) {
  while (!heap_.empty() && heap_.front().when <= limit) {
    std::pop_heap(heap_.begin(), heap_.end(), IsLater);
    Place place = heap_.back();
    heap_.pop_back();
    now_ = place.when;
    Process* const owner = entries_[place.slot].owner;
    if (owner != nullptr && owner->alive() && owner->paused_until() > now_) {
      place.when = owner->paused_until();
      heap_.push_back(place);
      std::push_heap(heap_.begin(), heap_.end(), IsLater);
      continue;
    }
    const Task task = std::move(entries_[place.slot].task);
    entries_[place.slot] = Entry();
    free_.push_back(place.slot);
    if (owner != nullptr && !owner->alive()) continue;
    ++steps_;
    Note(static_cast<uint64_t>(now_) ^ (place.number << 20));
    task();
    return true;
  }
  now_ = std::max(now_, limit);
  return false;
}

}  // namespace cluster::sim
