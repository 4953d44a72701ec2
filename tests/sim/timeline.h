// Simulated time: what is to happen, in the order of its time, on one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace cluster::sim {

class Process;

using Nanos = int64_t;  // since the world began
inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000 * kMillisecond;
inline constexpr Nanos kMinute = 60 * kSecond;
inline constexpr Nanos kHour = 60 * kMinute;

class Timeline {
 public:
  using Task = std::function<void()>;

  Nanos now() const { return now_; }
  // Runs the task then, among those of one time in the order of their calls. One that is a
  // process's waits while that is paused, and never runs once it is dead. `owner` may be null.
  void At(Nanos when, Process* owner, Task task);
  // Does what is next; false, with the time at `limit`, when nothing is to be done before.
  bool Step(Nanos limit);

  // Of all that happened, in its order: two runs of one seed have the same.
  uint64_t hash() const { return hash_; }
  void Note(uint64_t what) { hash_ = (hash_ ^ what) * 0x100000001b3ULL + (hash_ >> 29); }
  int64_t steps() const { return steps_; }

 private:
  struct Place {
    Nanos when = 0;
    uint64_t number = 0;  // of the call
    uint32_t slot = 0;
  };
  struct Entry {
    Process* owner = nullptr;
    Task task;
  };
  static bool IsLater(const Place& a, const Place& b) {
    return a.when != b.when ? a.when > b.when : a.number > b.number;
  }

  Nanos now_ = 0;
  uint64_t last_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325ULL;
  int64_t steps_ = 0;
  std::vector<Place> heap_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
};

}  // namespace cluster::sim
