// Why processes that were killed do not end, for people.
#pragma once

#include <string>
#include <vector>

#include "node/cgroup/layout.h"

namespace cluster::node {

// "pid 71 (dd) is in uninterruptible sleep in request_wait_answer; pid 72 (sh) is frozen by the
// freezer of /cluster/x; and 3 more". Those that are gone meanwhile are left out. Reads /proc; the
// kernel's function is named where root may see it. proc(5), cgroup-v1/freezer-subsystem.rst
std::string DescribeBlockers(const std::vector<int>& pids, const CgroupLayout& layout);

// What the files of /proc/PID say of one process. Pure.
struct ProcessFiles {
  std::string status;
  std::string stack;  // may be empty
  std::string wchan;  // "0" or empty: nothing
};
std::string DescribeBlocker(int pid, const ProcessFiles& files);

}  // namespace cluster::node
