// Which cores belong to one container alone (--cpu-policy static). Pure.
//
// The rest is common to everybody else. A container keeps its cores for as long as its pod is
// there, over restarts of itself and of the agent; no core is ever given twice.
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

  // Takes over what was given before. FailedPrecondition when one of them is not there or is
  // somebody's already: then nothing is taken.
  absl::Status Adopt(const std::string& holder, const CpuSet& cpus);
  // `count` cpus for `holder`, whole cores and one package where that can be; what it holds already
  // when it does. ResourceExhausted.
  absl::StatusOr<CpuSet> Give(const std::string& holder, int count);
  // All that holders with this prefix hold. False when they held nothing.
  bool Return(const std::string& prefix);

  // What is nobody's own.
  CpuSet Common() const;
  CpuSet Of(const std::string& holder) const;

 private:
  const std::vector<Cpu> cpus_;  // sorted by package, core, id
  CpuSet reserved_;
  std::map<std::string, CpuSet> holders_;
};

}  // namespace cluster::node
