// Where all chance in a simulated world comes from: one seed.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace cluster::sim {

// SplitMix64: small, fast, and the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Less than `bound`, which is not 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  // From `low` to `high`, both possible.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low + 1)));
  }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return absl::Nanoseconds(
        Between(absl::ToInt64Nanoseconds(low), absl::ToInt64Nanoseconds(high)));
  }
  bool Chance(double p) { return static_cast<double>(Next() >> 11) * 0x1.0p-53 < p; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }

 private:
  uint64_t state_;
};

// What OpenSSL's generator answers on this thread (ids and names that production code draws there)
// comes from `random` until it is set to null. The first call of a process takes OpenSSL over.
void AnswerOpenSsl(Random* random);

}  // namespace cluster::sim
