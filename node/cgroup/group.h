// One cgroup of ours: the same path in every hierarchy that it needs. Limits go to whichever
// hierarchy holds the controller; life cycle (kill, emptiness) goes through the v2 tree wherever
// there is one, also on hybrid machines.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/unique_handle.h"
#include "node/cgroup/layout.h"
#include "node/cgroup/limits.h"

namespace cluster::node {

struct CgroupUsage {
  int64_t cpu_microseconds = 0;
  int64_t throttled_periods = 0;
  int64_t throttled_microseconds = 0;
  int64_t memory_bytes = 0;
  int64_t memory_working_set_bytes = 0;  // without page cache that could go at once
  int64_t processes = 0;                 // tasks, threads included
};

// A file of a group, open for reading; no descriptor where the group has none such.
struct CounterFile {
  UniqueFd fd;
  bool v2 = false;
};

// A handle, not an owner: dropping it leaves the group. Methods may be called from any thread.
class CgroupGroup {
 public:
  // Open descriptors of one hierarchy's directory.
  struct Member {
    bool v2 = false;
    std::vector<std::string> controllers;
    UniqueFd directory;  // O_PATH, which is enough for clone3 too
  };
  CgroupGroup(std::string path, std::vector<Member> members)
      : path_(std::move(path)), members_(std::move(members)) {}

  const std::string& path() const { return path_; }  // below every mount point, "/cluster/pod..."

  // Entering. A child made with clone3(CLONE_INTO_CGROUP, unified_fd()) is in the v2 group from its
  // first instruction; single-threaded, it then writes "0" to each of the tasks files and is in the
  // v1 groups without the lock that a write of a pid to cgroup.procs waits for (9-13 ms after a
  // pause). -1 without a v2 tree.
  int unified_fd() const;
  // One O_WRONLY descriptor per v1 hierarchy, close-on-exec.
  absl::StatusOr<std::vector<UniqueFd>> OpenTasks() const;
  // Moves another process in, all hierarchies: the slow way, for processes that run already.
  absl::Status Enter(int pid) const;

  absl::Status Apply(const std::vector<ControlWrite>& writes) const;

  // Kills every process in it (and, with a v2 tree, in the groups below) at once, or on kernels
  // without cgroup.kill one after another. Ok when there was none. They are gone when AwaitEmpty
  // says so.
  absl::Status Kill() const;
  absl::StatusOr<bool> Populated() const;
  // Until no process is left. Unavailable at the deadline (a process stuck in the kernel).
  absl::Status AwaitEmpty(absl::Duration timeout) const;
  absl::StatusOr<std::vector<int>> Processes() const;

  // Processes that the kernel killed for memory since the group was made; 0 without a memory
  // controller.
  absl::StatusOr<int64_t> OomKills() const;
  absl::StatusOr<CgroupUsage> Usage() const;

  // The controller's file of whichever version holds it; an empty name means "none there".
  absl::StatusOr<CounterFile> OpenCounter(absl::string_view controller, const std::string& v1_file,
                                          const std::string& v2_file) const;
  // A file of the v2 tree that needs no controller: pressure.
  absl::StatusOr<CounterFile> OpenUnified(const std::string& file) const;

 private:
  const Member* MemberOf(absl::string_view controller, bool v2) const;
  const Member* MemberOf(absl::string_view controller) const;  // of whichever version has it
  const Member* Unified() const;
  static absl::StatusOr<CounterFile> OpenFile(const Member& member, const std::string& file);
  // The one to ask for processes.
  const Member& LifeCycle() const;
  absl::Status KillOneByOne() const;

  std::string path_;
  std::vector<Member> members_;
};

}  // namespace cluster::node
