#include "node/cgroup/layout.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/mountinfo.h"
#include "base/status.h"

namespace cluster::node {
namespace {

constexpr absl::string_view kKnown[] = {"cpu",      "cpuacct",    "cpuset", "memory",  "pids",
                                        "freezer",  "devices",    "blkio",  "hugetlb", "net_cls",
                                        "net_prio", "perf_event", "rdma",   "misc"};

struct Mount {
  std::string root;
  std::string mount_point;
  bool v2 = false;
  std::vector<std::string> controllers;
  std::string name;
};

// One line: "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:1 - cgroup cgroup rw,cpu".
bool ParseLine(absl::string_view line, Mount& mount) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
  const auto dash = std::find(fields.begin(), fields.end(), "-");
  if (dash - fields.begin() < 5 || fields.end() - dash < 4) return false;
  const absl::string_view type = dash[1];
  if (type != "cgroup" && type != "cgroup2") return false;
  mount.root = UnescapeMountInfo(fields[3]);
  mount.mount_point = UnescapeMountInfo(fields[4]);
  mount.v2 = type == "cgroup2";
  for (absl::string_view option : absl::StrSplit(dash[3], ',')) {
    if (!mount.v2 && absl::ConsumePrefix(&option, "name=")) mount.name = std::string(option);
    if (!mount.v2 && std::find(std::begin(kKnown), std::end(kKnown), option) != std::end(kKnown)) {
      mount.controllers.emplace_back(option);
    }
  }
  return mount.v2 || !mount.controllers.empty() || !mount.name.empty();
}

}  // namespace

bool HoldsController(const std::vector<std::string>& controllers, absl::string_view controller) {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

const V1Hierarchy* CgroupLayout::V1Of(absl::string_view controller) const {
  for (const V1Hierarchy& hierarchy : v1) {
    if (HoldsController(hierarchy.controllers, controller)) return &hierarchy;
  }
  return nullptr;
}

bool CgroupLayout::HasV2Controller(absl::string_view controller) const {
  return HoldsController(v2_controllers, controller);
}

std::string CgroupLayout::Version() const {
  if (v1.empty()) return "v2";
  return v2_mount_point.empty() ? "v1" : "hybrid";
}

CgroupLayout ParseCgroupMounts(absl::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (const absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    Mount mount;
    if (ParseLine(line, mount)) mounts.push_back(std::move(mount));
  }
  // A mount of a subtree (a bind, or another cgroup namespace's) serves only where there is no
  // better.
  std::stable_partition(mounts.begin(), mounts.end(),
                        [](const Mount& mount) { return mount.root == "/"; });
  CgroupLayout layout;
  for (const Mount& mount : mounts) {
    if (mount.v2) {
      if (layout.v2_mount_point.empty()) layout.v2_mount_point = mount.mount_point;
    } else if (mount.controllers.empty()) {
      const auto same = [&](const NamedHierarchy& known) { return known.name == mount.name; };
      if (std::none_of(layout.named.begin(), layout.named.end(), same)) {
        layout.named.push_back(NamedHierarchy{mount.mount_point, mount.name});
      }
    } else if (layout.V1Of(mount.controllers.front()) == nullptr) {
      layout.v1.push_back(V1Hierarchy{mount.mount_point, mount.controllers});
    }
  }
  if (layout.v1.empty()) layout.named.clear();
  return layout;
}

std::vector<HugepagePool> ReadHugepages(const std::string& directory) {
  std::vector<HugepagePool> pools;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    // "hugepages-2048kB"
    const std::string name = at->path().filename().string();
    absl::string_view size = name;
    HugepagePool pool;
    if (!absl::ConsumePrefix(&size, "hugepages-") || !absl::ConsumeSuffix(&size, "kB") ||
        !absl::SimpleAtoi(size, &pool.page_bytes)) {
      continue;
    }
    pool.page_bytes <<= 10;
    const auto count = ReadFile(absl::StrCat(at->path().string(), "/nr_hugepages"));
    if (!count.ok() || !absl::SimpleAtoi(absl::StripAsciiWhitespace(*count), &pool.pages)) continue;
    if (pool.pages > 0) pools.push_back(pool);
  }
  std::sort(pools.begin(), pools.end(), [](const HugepagePool& a, const HugepagePool& b) {
    return a.page_bytes < b.page_bytes;
  });
  return pools;
}

absl::StatusOr<CgroupLayout> DiscoverCgroups() {
  ASSIGN_OR_RETURN(const std::string mountinfo, ReadFile("/proc/self/mountinfo"));
  CgroupLayout layout = ParseCgroupMounts(mountinfo);
  layout.hugepages = ReadHugepages("/sys/kernel/mm/hugepages");
  if (!layout.v2_mount_point.empty()) {
    ASSIGN_OR_RETURN(const std::string controllers,
                     ReadFile(absl::StrCat(layout.v2_mount_point, "/cgroup.controllers")));
    layout.v2_controllers =
        absl::StrSplit(absl::StripAsciiWhitespace(controllers), ' ', absl::SkipEmpty());
  }
  for (const absl::string_view needed : {"cpu", "memory", "pids"}) {
    if (layout.V1Of(needed) != nullptr || layout.HasV2Controller(needed)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("no cgroup hierarchy with the ", needed,
                     " controller is mounted: mount cgroup2 on /sys/fs/cgroup, or the v1 "
                     "controllers below it"));
  }
  return layout;
}

}  // namespace cluster::node
