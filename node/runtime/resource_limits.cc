#include "node/runtime/resource_limits.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cluster::node {
namespace {

int64_t LooserLimit(int64_t a, int64_t b) { return a > 0 && b > 0 ? std::max(a, b) : kUnlimited; }

}  // namespace

CgroupLimits LimitsOf(const CgroupLayout& layout, const Resources& resources,
                      int64_t default_pids) {
  CgroupLimits limits;
  limits.cpu_request_milli = resources.cpu_request_milli;
  limits.cpu_limit_milli = resources.cpu_limit_milli;
  limits.memory_request = resources.memory_request;
  limits.memory_limit = resources.memory_limit;
  limits.memory_high = resources.memory_high;
  limits.pids_limit = resources.pids_limit > 0 ? resources.pids_limit : default_pids;
  limits.io_weight = resources.io_weight;
  for (const DiskLimit& disk : resources.disks) {
    limits.io_limits.push_back({disk.major, disk.minor, disk.read_bytes_per_second,
                                disk.write_bytes_per_second, disk.reads_per_second,
                                disk.writes_per_second});
  }
  for (const HugepagePool& pool : layout.hugepages) {
    const auto asked = resources.hugepages.find(pool.page_bytes);
    limits.hugepages.push_back(
        {pool.page_bytes, asked == resources.hugepages.end() ? 0 : asked->second});
  }
  return limits;
}

absl::Status FindDisks(Resources* resources) {
  for (DiskLimit& disk : resources->disks) {
    const std::pair<std::string, std::string> numbers =
        absl::StrSplit(disk.device, absl::MaxSplits(':', 1));
    if (absl::SimpleAtoi(numbers.first, &disk.major) &&
        absl::SimpleAtoi(numbers.second, &disk.minor)) {
      continue;
    }
    struct stat status {};
    if (::stat(disk.device.c_str(), &status) != 0 || !S_ISBLK(status.st_mode)) {
      return absl::FailedPreconditionError(
          absl::StrCat("this node has no block device ", disk.device,
                       " to limit; see the pod's cluster.v1/io-max"));
    }
    disk.major = major(status.st_rdev);
    disk.minor = minor(status.st_rdev);
  }
  return absl::OkStatus();
}

Resources LooserOf(const Resources& a, const Resources& b) {
  Resources looser = b;
  looser.cpu_request_milli = std::max(a.cpu_request_milli, b.cpu_request_milli);
  looser.memory_request = std::max(a.memory_request, b.memory_request);
  looser.cpu_limit_milli = LooserLimit(a.cpu_limit_milli, b.cpu_limit_milli);
  looser.memory_limit = LooserLimit(a.memory_limit, b.memory_limit);
  return looser;
}

}  // namespace cluster::node
