// Which cores belong to one container alone (--cpu-policy static). Pure.
//
// The rest is common to everybody else. No core is ever given twice.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::node {

// One logical cpu and where it sits: hyperthreads of one core share package and core.
struct Cpu {
  int id = 0;
  int package = 0;
  int core = 0;
  friend auto operator<=>(const Cpu&, const Cpu&) = default;
};

using CpuSet = std::set<int>;

// "0-3,8", as the kernel reads and writes them; "" for none.
std::string FormatCpus(const CpuSet& cpus);
// InvalidArgument.
absl::StatusOr<CpuSet> ParseCpus(absl::string_view text);

// The cpus that are online, from /sys/devices/system/cpu.
absl::StatusOr<std::vector<Cpu>> ReadCpus(const std::string& directory);

class CpuPool {
 public:
  // One core (with its threads) always stays common: the one with the lowest cpu.
  explicit CpuPool(std::vector<Cpu> cpus);

  // From now on `holder` has these and no others; none: all of its own are common again.
  // FailedPrecondition when one of them is not there or is somebody else's: then nothing changes.
  absl::Status Adopt(const std::string& holder, const CpuSet& cpus);
  // Which `count` cpus `holder` would get: whole cores and one package where that can be, and as
  // many as can be of those that it holds already. ResourceExhausted.
  absl::StatusOr<CpuSet> Choose(const std::string& holder, int count) const;
  // Chooses, and adopts these.
  absl::StatusOr<CpuSet> Give(const std::string& holder, int count);
  // All that holders with this prefix hold. False when they held nothing.
  bool Return(const std::string& prefix);

  // What is nobody's own.
  CpuSet Common() const;
  CpuSet Of(const std::string& holder) const;

 private:
  CpuSet Pick(const CpuSet& from, const CpuSet& near, size_t count) const;

  const std::vector<Cpu> cpus_;  // sorted by package, core, id
  CpuSet reserved_;
  std::map<std::string, CpuSet> holders_;
};

}  // namespace cluster::node
