#include "node/oci/cgroup_plan.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "node/cgroup/limits.h"

namespace cluster::oci {
namespace {

using node::CgroupLayout;

constexpr uint64_t kDefaultPeriod = 100'000;

std::string NumberOrMax(int64_t value) { return value < 0 ? "max" : absl::StrCat(value); }

class Planner {
 public:
  explicit Planner(const CgroupLayout& layout) : layout_(layout) {}

  absl::StatusOr<std::vector<GroupWrite>> Plan(const Resources& resources) {
    PlanMemory(resources.memory);
    PlanCpu(resources.cpu);
    if (resources.pids_limit) PlanPids(*resources.pids_limit);
    PlanBlock(resources.block);
    PlanHugepages(resources.hugepages);
    PlanNetwork(resources);
    PlanRdma(resources);
    PlanDevices(resources.devices);
    for (const auto& [file, value] : resources.unified) PlanUnified(file, value);
    RETURN_IF_ERROR(error_);
    return std::move(writes_);
  }

 private:
  enum class Version { kNone, kV1, kV2 };

  // Where the controller is; without one, what is asked for cannot be had.
  Version Find(const std::string& controller) {
    if (layout_.V1Of(controller) != nullptr) return Version::kV1;
    if (layout_.HasV2Controller(controller)) return Version::kV2;
    if (error_.ok()) {
      error_ = absl::FailedPreconditionError(
          absl::StrCat("linux.resources asks for the cgroup controller ", controller,
                       ", which this machine does not have"));
    }
    return Version::kNone;
  }

  void Refuse(absl::string_view what) {
    if (error_.ok()) {
      error_ = absl::InvalidArgumentError(absl::StrCat("linux.resources.", what));
    }
  }

  GroupWrite& Write(const std::string& controller, bool v2, std::string file, std::string value) {
    return writes_.emplace_back(
        GroupWrite{controller, v2, std::move(file), std::move(value), "", "", false});
  }
  GroupWrite& V1(const std::string& controller, std::string file, std::string value) {
    return Write(controller, false, std::move(file), std::move(value));
  }
  GroupWrite& V2(const std::string& controller, std::string file, std::string value) {
    return Write(controller, true, std::move(file), std::move(value));
  }

  void PlanMemory(const MemoryResources& memory) {
    const bool asked = memory.limit || memory.swap || memory.reservation || memory.swappiness ||
                       memory.disable_oom_killer;
    const Version version = asked ? Find("memory") : Version::kNone;
    if (version == Version::kV1) PlanMemoryV1(memory);
    if (version == Version::kV2) PlanMemoryV2(memory);
  }

  void PlanMemoryV1(const MemoryResources& memory) {
    if (memory.limit) V1("memory", "memory.limit_in_bytes", absl::StrCat(*memory.limit));
    if (memory.swap) {
      V1("memory", "memory.memsw.limit_in_bytes", absl::StrCat(*memory.swap));
    } else if (memory.limit && *memory.limit < 0) {
      // Nothing may stand in the way of "no limit".
      V1("memory", "memory.memsw.limit_in_bytes", "-1").optional = true;
    }
    if (memory.reservation) {
      V1("memory", "memory.soft_limit_in_bytes", absl::StrCat(*memory.reservation));
    }
    if (memory.swappiness) V1("memory", "memory.swappiness", absl::StrCat(*memory.swappiness));
    if (memory.disable_oom_killer) {
      V1("memory", "memory.oom_control", *memory.disable_oom_killer ? "1" : "0");
    }
  }

  void PlanMemoryV2(const MemoryResources& memory) {
    if (memory.limit) V2("memory", "memory.max", NumberOrMax(*memory.limit));
    if (memory.swap) PlanSwapV2(memory);
    if (memory.reservation) V2("memory", "memory.low", NumberOrMax(*memory.reservation));
    if (memory.swappiness) Refuse("memory.swappiness: cgroup v2 has none");
    if (memory.disable_oom_killer && *memory.disable_oom_killer) {
      Refuse("memory.disableOOMKiller: cgroup v2 has no such switch");
    }
  }

  // v2 counts swap alone.
  void PlanSwapV2(const MemoryResources& memory) {
    const int64_t swap = *memory.swap;
    if (swap < 0) {
      V2("memory", "memory.swap.max", "max").optional = true;
    } else if (!memory.limit || *memory.limit < 0) {
      Refuse("memory.swap: needs memory.limit beside it, as it counts both");
    } else if (swap < *memory.limit) {
      Refuse("memory.swap: counts memory too, so it cannot be below memory.limit");
    } else {
      V2("memory", "memory.swap.max", absl::StrCat(swap - *memory.limit));
    }
  }

  void PlanCpu(const CpuResources& cpu) {
    if (!cpu.cpus.empty() || !cpu.mems.empty()) {
      const bool v2 = Find("cpuset") == Version::kV2;
      if (!cpu.cpus.empty()) Write("cpuset", v2, "cpuset.cpus", cpu.cpus);
      if (!cpu.mems.empty()) Write("cpuset", v2, "cpuset.mems", cpu.mems);
    }
    const bool asked = cpu.shares || cpu.quota || cpu.period || cpu.burst || cpu.idle ||
                       cpu.realtime_runtime || cpu.realtime_period;
    const Version version = asked ? Find("cpu") : Version::kNone;
    if (version == Version::kV1) PlanCpuV1(cpu);
    if (version == Version::kV2) PlanCpuV2(cpu);
  }

  void PlanCpuV1(const CpuResources& cpu) {
    // Leaving idle first: an idle group takes no shares.
    if (cpu.idle) V1("cpu", "cpu.idle", absl::StrCat(*cpu.idle));
    if (cpu.shares && *cpu.shares != 0) V1("cpu", "cpu.shares", absl::StrCat(*cpu.shares));
    if (cpu.realtime_period && *cpu.realtime_period != 0) {
      V1("cpu", "cpu.rt_period_us", absl::StrCat(*cpu.realtime_period));
    }
    if (cpu.realtime_runtime && *cpu.realtime_runtime != 0) {
      V1("cpu", "cpu.rt_runtime_us", absl::StrCat(*cpu.realtime_runtime));
    }
    if (cpu.period && *cpu.period != 0) V1("cpu", "cpu.cfs_period_us", absl::StrCat(*cpu.period));
    if (cpu.burst) V1("cpu", "cpu.cfs_burst_us", absl::StrCat(*cpu.burst));
    if (cpu.quota && *cpu.quota != 0) {
      V1("cpu", "cpu.cfs_quota_us", *cpu.quota < 0 ? "-1" : absl::StrCat(*cpu.quota));
    }
  }

  void PlanCpuV2(const CpuResources& cpu) {
    if (cpu.idle) V2("cpu", "cpu.idle", absl::StrCat(*cpu.idle));
    if (cpu.shares && *cpu.shares != 0) {
      const uint64_t shares = std::min<uint64_t>(*cpu.shares, 262144);
      V2("cpu", "cpu.weight", absl::StrCat(node::CpuWeightOf(static_cast<int64_t>(shares))));
    }
    if (cpu.realtime_period || cpu.realtime_runtime) {
      Refuse("cpu.realtimeRuntime: cgroup v2 has no such limit");
    }
    if (cpu.burst) V2("cpu", "cpu.max.burst", absl::StrCat(*cpu.burst));
    if ((cpu.quota && *cpu.quota != 0) || (cpu.period && *cpu.period != 0)) {
      const std::string quota = cpu.quota && *cpu.quota > 0 ? absl::StrCat(*cpu.quota) : "max";
      const uint64_t period = cpu.period && *cpu.period != 0 ? *cpu.period : kDefaultPeriod;
      V2("cpu", "cpu.max", absl::StrCat(quota, " ", period));
    }
  }

  // Zero and below: none.
  void PlanPids(int64_t limit) {
    const Version version = Find("pids");
    if (version == Version::kNone) return;
    Write("pids", version == Version::kV2, "pids.max", limit <= 0 ? "max" : absl::StrCat(limit));
  }

  void PlanBlock(const BlockResources& block) {
    const bool v1 = layout_.V1Of("blkio") != nullptr;
    const bool asked = block.weight || block.leaf_weight || !block.weight_devices.empty() ||
                       !block.read_bps.empty() || !block.write_bps.empty() ||
                       !block.read_iops.empty() || !block.write_iops.empty();
    if (!asked) return;
    if (v1) return PlanBlockV1(block);
    if (Find("io") == Version::kV2) PlanBlockV2(block);
  }

  // Newer kernels know weights only in the BFQ scheduler's form.
  void PlanBlockV1(const BlockResources& block) {
    if (block.weight && *block.weight != 0) {
      GroupWrite& write = V1("blkio", "blkio.weight", absl::StrCat(*block.weight));
      write.other_file = "blkio.bfq.weight";
      write.other_value = write.value;
    }
    if (block.leaf_weight && *block.leaf_weight != 0) {
      V1("blkio", "blkio.leaf_weight", absl::StrCat(*block.leaf_weight));
    }
    for (const DeviceWeight& device : block.weight_devices) {
      const std::string name = absl::StrCat(device.major, ":", device.minor, " ");
      if (device.weight && *device.weight != 0) {
        GroupWrite& write = V1("blkio", "blkio.weight_device", absl::StrCat(name, *device.weight));
        write.other_file = "blkio.bfq.weight_device";
        write.other_value = write.value;
      }
      if (device.leaf_weight && *device.leaf_weight != 0) {
        V1("blkio", "blkio.leaf_weight_device", absl::StrCat(name, *device.leaf_weight));
      }
    }
    const auto throttle = [this](const char* file, const std::vector<DeviceThrottle>& devices) {
      for (const DeviceThrottle& device : devices) {
        V1("blkio", file, absl::StrCat(device.major, ":", device.minor, " ", device.rate));
      }
    };
    throttle("blkio.throttle.read_bps_device", block.read_bps);
    throttle("blkio.throttle.write_bps_device", block.write_bps);
    throttle("blkio.throttle.read_iops_device", block.read_iops);
    throttle("blkio.throttle.write_iops_device", block.write_iops);
  }

  // 10..1000 of blkio on 1..10000 of io.weight.
  static uint64_t IoWeight(uint64_t weight) { return 1 + (weight - 10) * 9999 / 990; }

  void PlanBlockV2(const BlockResources& block) {
    if (block.leaf_weight) Refuse("blockIO.leafWeight: cgroup v2 has none");
    if (block.weight && *block.weight != 0) {
      GroupWrite& write = V2("io", "io.bfq.weight", absl::StrCat(*block.weight));
      write.other_file = "io.weight";
      write.other_value = absl::StrCat("default ", IoWeight(*block.weight));
    }
    for (const DeviceWeight& device : block.weight_devices) {
      if (device.leaf_weight) Refuse("blockIO.weightDevice.leafWeight: cgroup v2 has none");
      if (!device.weight || *device.weight == 0) continue;
      const std::string name = absl::StrCat(device.major, ":", device.minor, " ");
      GroupWrite& write = V2("io", "io.bfq.weight", absl::StrCat(name, *device.weight));
      write.other_file = "io.weight";
      write.other_value = absl::StrCat(name, IoWeight(*device.weight));
    }
    const auto throttle = [this](const char* key, const std::vector<DeviceThrottle>& devices) {
      for (const DeviceThrottle& device : devices) {
        const std::string rate = device.rate == 0 ? "max" : absl::StrCat(device.rate);
        V2("io", "io.max", absl::StrCat(device.major, ":", device.minor, " ", key, "=", rate));
      }
    };
    throttle("rbps", block.read_bps);
    throttle("wbps", block.write_bps);
    throttle("riops", block.read_iops);
    throttle("wiops", block.write_iops);
  }

  void PlanHugepages(const std::vector<HugepageLimit>& limits) {
    if (limits.empty()) return;
    const Version version = Find("hugetlb");
    if (version == Version::kNone) return;
    const bool v2 = version == Version::kV2;
    for (const HugepageLimit& limit : limits) {
      const std::string stem = absl::StrCat("hugetlb.", limit.page_size);
      const std::string value = absl::StrCat(limit.limit);
      Write("hugetlb", v2, absl::StrCat(stem, v2 ? ".max" : ".limit_in_bytes"), value);
      // Reservations are counted apart since Linux 5.7.
      Write("hugetlb", v2, absl::StrCat(stem, v2 ? ".rsvd.max" : ".rsvd.limit_in_bytes"), value)
          .optional = true;
    }
  }

  void PlanNetwork(const Resources& resources) {
    if (resources.network_class) {
      if (Find("net_cls") == Version::kV1) {
        V1("net_cls", "net_cls.classid", absl::StrCat(*resources.network_class));
      }
    }
    for (const InterfacePriority& priority : resources.network_priorities) {
      if (Find("net_prio") != Version::kV1) return;
      V1("net_prio", "net_prio.ifpriomap", absl::StrCat(priority.name, " ", priority.priority));
    }
  }

  void PlanRdma(const Resources& resources) {
    for (const auto& [device, limit] : resources.rdma) {
      const Version version = Find("rdma");
      if (version == Version::kNone) return;
      std::string line = device;
      if (limit.handles) absl::StrAppend(&line, " hca_handle=", *limit.handles);
      if (limit.objects) absl::StrAppend(&line, " hca_object=", *limit.objects);
      Write("rdma", version == Version::kV2, "rdma.max", std::move(line));
    }
  }

  void PlanDevices(const std::vector<DeviceRule>& rules) {
    if (rules.empty() || layout_.V1Of("devices") == nullptr) return;
    for (const DeviceRule& rule : rules) {
      V1("devices", rule.allow ? "devices.allow" : "devices.deny", DeviceLine(rule));
    }
  }

  void PlanUnified(const std::string& file, const std::string& value) {
    const std::string controller = file.substr(0, file.find('.'));
    const bool core = controller == "cgroup";
    if (layout_.v2_mount_point.empty() || !(core || layout_.HasV2Controller(controller))) {
      if (error_.ok()) {
        error_ = absl::FailedPreconditionError(absl::StrCat("linux.resources.unified.", file,
                                                            ": the cgroup v2 tree of this machine ",
                                                            "has no controller ", controller));
      }
      return;
    }
    // One assignment per line: "8:0 rbps=1\n8:16 rbps=2".
    for (absl::string_view line : absl::StrSplit(value, '\n', absl::SkipEmpty())) {
      V2(core ? "" : controller, file, std::string(line));
    }
  }

  const CgroupLayout& layout_;
  std::vector<GroupWrite> writes_;
  absl::Status error_;
};

}  // namespace

std::vector<DeviceRule> DefaultDeviceRules() {
  std::vector<DeviceRule> rules = {{true, 'c', -1, -1, "m"}, {true, 'b', -1, -1, "m"}};
  // null, zero, full, random, urandom, tty, console, pty multiplexer.
  constexpr std::pair<int, int> kDevices[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8},
                                              {1, 9}, {5, 0}, {5, 1}, {5, 2}};
  for (const auto& [major, minor] : kDevices) rules.push_back({true, 'c', major, minor, "rwm"});
  rules.push_back({true, 'c', 136, -1, "rwm"});  // pseudo terminals
  return rules;
}

std::optional<node::DeviceRules> PlanDeviceProgram(const CgroupLayout& layout,
                                                   const std::vector<DeviceRule>& rules) {
  if (layout.V1Of("devices") != nullptr) return std::nullopt;
  const auto number = [](int64_t value) -> std::optional<uint32_t> {
    if (value < 0) return std::nullopt;
    return static_cast<uint32_t>(value);
  };
  node::DeviceRules planned;
  for (const DeviceRule& rule : rules) {
    const node::DeviceKind kind = rule.type == 'c'   ? node::DeviceKind::kChar
                                  : rule.type == 'b' ? node::DeviceKind::kBlock
                                                     : node::DeviceKind::kAny;
    const node::DeviceRule one = {rule.allow,
                                  kind,
                                  number(rule.major),
                                  number(rule.minor),
                                  absl::StrContains(rule.access, 'r'),
                                  absl::StrContains(rule.access, 'w'),
                                  absl::StrContains(rule.access, 'm')};
    const bool adds = !rule.allow || planned != node::AllDevices();
    // What came before it decides nothing any more.
    if (one == node::AllDevices().front()) planned.clear();
    if (adds) planned.push_back(one);
  }
  return planned;
}

std::string DeviceLine(const DeviceRule& rule) {
  const auto number = [](int64_t value) { return value < 0 ? "*" : absl::StrCat(value); };
  return absl::StrCat(std::string(1, rule.type), " ", number(rule.major), ":", number(rule.minor),
                      " ", rule.access);
}

absl::StatusOr<std::vector<GroupWrite>> PlanResources(const CgroupLayout& layout,
                                                      const Resources& resources) {
  return Planner(layout).Plan(resources);
}

}  // namespace cluster::oci
