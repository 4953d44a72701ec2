// What was so within the last minutes: a controller acts on what it has seen, which may be as old
// as it was held up. Where nothing fails that is some seconds.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "tests/sim/timeline.h"
#include "tests/sim/world.h"

namespace cluster::sim {

// Longer than any pause, partition from the store or start of a controller.
inline constexpr Nanos kMemory = 5 * kMinute;
// Longer than the store takes on the worst of ordinary days, and a pass.
inline constexpr Nanos kFineMemory = 10 * kSecond;

// Since when the controller of that world has seen what was so, at the latest.
inline Nanos SeenSince(const World& world) {
  return world.now() - (world.fine() ? kFineMemory : kMemory);
}

// A number over time.
class RecentNumber {
 public:
  void Set(Nanos now, int value) {
    if (!values_.empty() && values_.back().second == value) return;
    values_.emplace_back(now, value);
    // The one before the window still held when it began.
    while (values_.size() > 1 && values_[1].first < now - kMemory) values_.pop_front();
  }
  bool known() const { return !values_.empty(); }
  // Of what it was since then.
  int Lowest(Nanos since) const {
    return Fold(since, [](int a, int b) { return std::min(a, b); });
  }
  int Highest(Nanos since) const {
    return Fold(since, [](int a, int b) { return std::max(a, b); });
  }

 private:
  template <typename Better>
  int Fold(Nanos since, Better better) const {
    int result = values_.back().second;
    for (auto it = values_.rbegin(); it != values_.rend(); ++it) {
      result = better(result, it->second);
      if (it->first < since) break;
    }
    return result;
  }

  std::deque<std::pair<Nanos, int>> values_;
};

// Names for which something was true.
class RecentSet {
 public:
  // Is true at this moment, or was until now.
  void Note(const std::string& name, Nanos now) { last_[name] = now; }
  void Erase(const std::string& name) { last_.erase(name); }
  bool Has(const std::string& name, Nanos since) const {
    const auto found = last_.find(name);
    return found != last_.end() && found->second >= since;
  }
  int Count(Nanos since) const {
    return static_cast<int>(std::count_if(
        last_.begin(), last_.end(), [since](const auto& each) { return each.second >= since; }));
  }
  void Forget(Nanos now) {
    std::erase_if(last_, [now](const auto& each) { return each.second < now - kMemory; });
  }

 private:
  std::map<std::string, Nanos> last_;
};

}  // namespace cluster::sim
