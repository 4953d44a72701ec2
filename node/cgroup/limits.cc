#include "node/cgroup/limits.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

constexpr int64_t kMinimumShares = 2;
constexpr int64_t kMaximumShares = 262144;
constexpr int64_t kPeriodMicroseconds = 100'000;
constexpr int64_t kMinimumQuotaMicroseconds = 1'000;

class Planner {
 public:
  explicit Planner(const CgroupLayout& layout) : layout_(layout) {}

  // The controller's file of whichever version holds it; an empty v2 name means "none there".
  void Set(const std::string& controller, const std::string& v1_file, std::string v1_value,
           const std::string& v2_file, std::string v2_value, bool optional = false) {
    if (layout_.V1Of(controller) != nullptr) {
      if (v1_file.empty()) return;
      writes_.push_back({controller, false, v1_file, std::move(v1_value), optional});
    } else if (layout_.HasV2Controller(controller) && !v2_file.empty()) {
      writes_.push_back({controller, true, v2_file, std::move(v2_value), optional});
    }
  }
  std::vector<ControlWrite> Take() { return std::move(writes_); }

 private:
  const CgroupLayout& layout_;
  std::vector<ControlWrite> writes_;
};

void PlanCpu(Planner& planner, const CgroupLimits& limits) {
  const int64_t shares = CpuSharesOf(limits.cpu_request_milli);
  planner.Set("cpu", "cpu.shares", absl::StrCat(shares), "cpu.weight",
              absl::StrCat(CpuWeightOf(shares)));
  if (limits.cpu_limit_milli == kUnlimited) {
    planner.Set("cpu", "cpu.cfs_quota_us", "-1", "cpu.max", "max");
  }
  if (limits.cpu_limit_milli <= 0) return;
  const int64_t quota =
      std::max(kMinimumQuotaMicroseconds, limits.cpu_limit_milli * kPeriodMicroseconds / 1000);
  planner.Set("cpu", "cpu.cfs_period_us", absl::StrCat(kPeriodMicroseconds), "", "");
  planner.Set("cpu", "cpu.cfs_quota_us", absl::StrCat(quota), "cpu.max",
              absl::StrCat(quota, " ", kPeriodMicroseconds));
  // Never above the quota, hence after; Linux 5.14 and later.
  planner.Set("cpu", "cpu.cfs_burst_us", absl::StrCat(quota), "cpu.max.burst", absl::StrCat(quota),
              true);
}

void PlanMemory(Planner& planner, const CgroupLimits& limits) {
  if (limits.memory_limit > 0) {
    const std::string limit = absl::StrCat(limits.memory_limit);
    planner.Set("memory", "memory.limit_in_bytes", limit, "memory.max", limit);
    // memsw counts both, so the same number leaves no swap. It never goes below the limit, hence
    // after.
    planner.Set("memory", "memory.memsw.limit_in_bytes", limit, "memory.swap.max", "0", true);
  }
  if (limits.memory_limit == kUnlimited) {
    planner.Set("memory", "memory.memsw.limit_in_bytes", "-1", "memory.swap.max", "max", true);
    planner.Set("memory", "memory.limit_in_bytes", "-1", "memory.max", "max");
  }
  if (limits.memory_high > 0) {
    planner.Set("memory", "", "", "memory.high", absl::StrCat(limits.memory_high));
  }
  if (limits.memory_request > 0) {
    const std::string request = absl::StrCat(limits.memory_request);
    planner.Set("memory", "memory.soft_limit_in_bytes", request, "memory.low", request, true);
  }
  if (limits.oom_kills_group) planner.Set("memory", "", "", "memory.oom.group", "1", true);
}

// v1 takes one number per file and write.
void PlanV1IoLimit(Planner& planner, const IoLimit& limit) {
  const std::pair<const char*, int64_t> files[] = {
      {"blkio.throttle.read_bps_device", limit.read_bytes_per_second},
      {"blkio.throttle.write_bps_device", limit.write_bytes_per_second},
      {"blkio.throttle.read_iops_device", limit.reads_per_second},
      {"blkio.throttle.write_iops_device", limit.writes_per_second}};
  for (const auto& [file, value] : files) {
    if (value <= 0) continue;
    planner.Set("blkio", file, absl::StrCat(limit.major, ":", limit.minor, " ", value), "", "");
  }
}

std::string V2IoLimit(const IoLimit& limit) {
  const auto number = [](int64_t value) {
    return value > 0 ? absl::StrCat(value) : std::string("max");
  };
  return absl::StrCat(limit.major, ":", limit.minor, " rbps=", number(limit.read_bytes_per_second),
                      " wbps=", number(limit.write_bytes_per_second),
                      " riops=", number(limit.reads_per_second),
                      " wiops=", number(limit.writes_per_second));
}

// Which file takes a weight depends on the disk's scheduler: io.weight (iocost) and the bfq files
// each work where they are.
void PlanIo(Planner& planner, const CgroupLimits& limits) {
  if (limits.io_weight > 0) {
    planner.Set("blkio", "blkio.bfq.weight", absl::StrCat(BfqWeightOf(limits.io_weight)), "", "",
                true);
    planner.Set("io", "", "", "io.weight", absl::StrCat("default ", limits.io_weight), true);
    planner.Set("io", "", "", "io.bfq.weight", absl::StrCat(BfqWeightOf(limits.io_weight)), true);
  }
  for (const IoLimit& limit : limits.io_limits) {
    PlanV1IoLimit(planner, limit);
    planner.Set("io", "", "", "io.max", V2IoLimit(limit));
  }
}

// Reservations (rsvd) are what mmap takes before a page is touched: a process over it then fails
// there instead of dying by SIGBUS later. Linux 5.7 and later.
void PlanHugepages(Planner& planner, const CgroupLimits& limits) {
  for (const HugepageLimit& limit : limits.hugepages) {
    const std::string size = PageSizeName(limit.page_bytes);
    const std::string value = absl::StrCat(limit.bytes);
    planner.Set("hugetlb", absl::StrCat("hugetlb.", size, ".limit_in_bytes"), value,
                absl::StrCat("hugetlb.", size, ".max"), value);
    planner.Set("hugetlb", absl::StrCat("hugetlb.", size, ".rsvd.limit_in_bytes"), value,
                absl::StrCat("hugetlb.", size, ".rsvd.max"), value, true);
  }
}

}  // namespace

int64_t CpuSharesOf(int64_t milli) {
  return std::clamp(milli * 1024 / 1000, kMinimumShares, kMaximumShares);
}

int64_t CpuWeightOf(int64_t shares) {
  if (shares <= kMinimumShares) return 1;
  if (shares >= kMaximumShares) return 10000;
  const double log = std::log2(static_cast<double>(shares));
  return static_cast<int64_t>(
      std::ceil(std::pow(10.0, (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0)));
}

int64_t BfqWeightOf(int64_t io_weight) {
  if (io_weight <= 100) return std::max<int64_t>(1, io_weight);
  return std::min<int64_t>(1000, 100 + (io_weight - 100) * 900 / 9900);
}

std::string PageSizeName(int64_t page_bytes) {
  if (page_bytes >= int64_t{1} << 30) return absl::StrCat(page_bytes >> 30, "GB");
  if (page_bytes >= int64_t{1} << 20) return absl::StrCat(page_bytes >> 20, "MB");
  return absl::StrCat(page_bytes >> 10, "KB");
}

std::vector<ControlWrite> PlanWrites(const CgroupLayout& layout, const CgroupLimits& limits) {
  Planner planner(layout);
  PlanCpu(planner, limits);
  PlanMemory(planner, limits);
  if (limits.pids_limit > 0) {
    const std::string limit = absl::StrCat(limits.pids_limit);
    planner.Set("pids", "pids.max", limit, "pids.max", limit);
  }
  if (!limits.cpuset_cpus.empty()) {
    planner.Set("cpuset", "cpuset.cpus", limits.cpuset_cpus, "cpuset.cpus", limits.cpuset_cpus);
  }
  if (!limits.cpuset_mems.empty()) {
    planner.Set("cpuset", "cpuset.mems", limits.cpuset_mems, "cpuset.mems", limits.cpuset_mems);
  }
  PlanIo(planner, limits);
  PlanHugepages(planner, limits);
  return planner.Take();
}

}  // namespace cluster::node
