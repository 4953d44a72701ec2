#include "node/cgroup/cpu_pool.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

constexpr int kMostCpus = 8192;  // what the kernel can be built for

std::vector<Cpu> Sorted(std::vector<Cpu> cpus) {
  std::sort(cpus.begin(), cpus.end(), [](const Cpu& a, const Cpu& b) {
    return std::tie(a.package, a.core, a.id) < std::tie(b.package, b.core, b.id);
  });
  return cpus;
}

// The numbers, not the set, of one part of "0-3,8".
bool ReadRange(absl::string_view part, CpuSet* cpus) {
  const std::pair<absl::string_view, absl::string_view> ends =
      absl::StrSplit(part, absl::MaxSplits('-', 1));
  int first = 0;
  if (!absl::SimpleAtoi(ends.first, &first)) return false;
  int last = first;
  if (absl::StrContains(part, "-") && !absl::SimpleAtoi(ends.second, &last)) return false;
  if (first < 0 || last < first || last >= kMostCpus) return false;
  for (int cpu = first; cpu <= last; ++cpu) cpus->insert(cpu);
  return true;
}

absl::StatusOr<int> NumberIn(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  int value = 0;
  if (absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &value)) return value;
  return absl::InternalError(absl::StrCat("read ", path, ": '", text, "' is no number"));
}

}  // namespace

std::string FormatCpus(const CpuSet& cpus) {
  std::string text;
  for (auto cpu = cpus.begin(); cpu != cpus.end();) {
    const int first = *cpu;
    int last = first;
    for (++cpu; cpu != cpus.end() && *cpu == last + 1; ++cpu) last = *cpu;
    absl::StrAppend(&text, text.empty() ? "" : ",", first);
    if (last > first) absl::StrAppend(&text, "-", last);
  }
  return text;
}

absl::StatusOr<CpuSet> ParseCpus(absl::string_view text) {
  CpuSet cpus;
  text = absl::StripAsciiWhitespace(text);
  if (text.empty()) return cpus;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    if (ReadRange(part, &cpus)) continue;
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no list of cpus like 0-3,8"));
  }
  return cpus;
}

absl::StatusOr<std::vector<Cpu>> ReadCpus(const std::string& directory) {
  ASSIGN_OR_RETURN(const std::string online, ReadFile(directory + "/online"));
  ASSIGN_OR_RETURN(const CpuSet ids, ParseCpus(online));
  std::vector<Cpu> cpus;
  for (const int id : ids) {
    const std::string topology = absl::StrCat(directory, "/cpu", id, "/topology/");
    Cpu cpu{id, 0, id};
    ASSIGN_OR_RETURN(cpu.package, NumberIn(topology + "physical_package_id"));
    ASSIGN_OR_RETURN(cpu.core, NumberIn(topology + "core_id"));
    cpus.push_back(cpu);
  }
  return cpus;
}

CpuPool::CpuPool(std::vector<Cpu> cpus) : cpus_(Sorted(std::move(cpus))) {
  const auto lowest = std::min_element(cpus_.begin(), cpus_.end(),
                                       [](const Cpu& a, const Cpu& b) { return a.id < b.id; });
  if (lowest == cpus_.end()) return;
  for (const Cpu& cpu : cpus_) {
    if (cpu.package == lowest->package && cpu.core == lowest->core) reserved_.insert(cpu.id);
  }
}

CpuSet CpuPool::Common() const {
  CpuSet common;
  for (const Cpu& cpu : cpus_) common.insert(cpu.id);
  for (const auto& [holder, cpus] : holders_) {
    for (const int cpu : cpus) common.erase(cpu);
  }
  return common;
}

CpuSet CpuPool::Of(const std::string& holder) const {
  const auto found = holders_.find(holder);
  return found == holders_.end() ? CpuSet() : found->second;
}

absl::Status CpuPool::Adopt(const std::string& holder, const CpuSet& cpus) {
  const CpuSet common = Common();
  const CpuSet own = Of(holder);
  for (const int cpu : cpus) {
    if (common.contains(cpu) || own.contains(cpu)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("cpu ", cpu, " of ", holder, " is offline or belongs to another container"));
  }
  if (cpus.empty()) {
    holders_.erase(holder);
  } else {
    holders_[holder] = cpus;
  }
  return absl::OkStatus();
}

// `count` of `from`, or all of it. First what completes a core of `near`, and its packages; then a
// package that holds all of it before one that does not, the fuller first; whole cores while as
// much is wanted, broken ones for the rest.
CpuSet CpuPool::Pick(const CpuSet& from, const CpuSet& near, size_t count) const {
  using Core = std::pair<int, int>;  // package, core
  std::map<Core, std::vector<int>> cores;
  std::map<Core, size_t> sizes;  // with those that are not to be had
  std::map<int, size_t> free_in;
  std::set<Core> near_cores;
  std::set<int> near_packages;
  for (const Cpu& cpu : cpus_) {
    const Core core{cpu.package, cpu.core};
    ++sizes[core];
    if (near.contains(cpu.id)) {
      near_cores.insert(core);
      near_packages.insert(cpu.package);
    }
    if (!from.contains(cpu.id)) continue;
    cores[core].push_back(cpu.id);
    ++free_in[cpu.package];
  }
  std::vector<std::tuple<bool, bool, bool, size_t, bool, Core>> order;
  for (const auto& [core, cpus] : cores) {
    const size_t free = free_in[core.first];
    const bool whole = cpus.size() == sizes[core];
    order.emplace_back(!near_cores.contains(core), !near_packages.contains(core.first),
                       free < count, free, !whole || cpus.size() > count, core);
  }
  std::sort(order.begin(), order.end());
  CpuSet picked;
  for (const auto& place : order) {
    for (const int cpu : cores[std::get<Core>(place)]) {
      if (picked.size() < count) picked.insert(cpu);
    }
  }
  return picked;
}

absl::StatusOr<CpuSet> CpuPool::Choose(const std::string& holder, int count) const {
  const size_t wanted = static_cast<size_t>(std::max(count, 0));
  CpuSet chosen = Of(holder);
  if (chosen.size() > wanted) return Pick(chosen, {}, wanted);
  if (chosen.size() < wanted) {
    CpuSet free = Common();
    for (const int cpu : reserved_) free.erase(cpu);
    const CpuSet more = Pick(free, chosen, wanted - chosen.size());
    chosen.insert(more.begin(), more.end());
  }
  if (chosen.size() == wanted && wanted > 0) return chosen;
  return absl::ResourceExhaustedError(
      absl::StrCat("there are not ", count, " cpus left for ", holder, " alone"));
}

absl::StatusOr<CpuSet> CpuPool::Give(const std::string& holder, int count) {
  ASSIGN_OR_RETURN(CpuSet given, Choose(holder, count));
  RETURN_IF_ERROR(Adopt(holder, given));
  return given;
}

bool CpuPool::Return(const std::string& prefix) {
  return std::erase_if(holders_, [&prefix](const auto& each) {
           return absl::StartsWith(each.first, prefix);
         }) > 0;
}

}  // namespace cluster::node
