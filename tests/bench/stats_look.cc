// What it costs to read the counters of many pods: groups as the agent makes them, one sleeping
// process in each container's, and looks at all of them one after another. Needs root; leaves
// nothing behind.
//
//   stats_look [PODS] [LOOKS]
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/stats/sampler.h"

namespace cluster::node {
namespace {

double CpuMilliseconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

absl::StatusOr<pid_t> Sleeper(const CgroupGroup& group) {
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoStatus("fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::pause();
  }
  RETURN_IF_ERROR(group.Enter(pid));
  return pid;
}

void Print(const char* what, std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  std::printf("%-28s p50 %7.2f ms   max %7.2f ms\n", what, milliseconds[milliseconds.size() / 2],
              milliseconds.back());
}

absl::Status Run(int pods, int looks) {
  ASSIGN_OR_RETURN(CgroupLayout layout, DiscoverCgroups());
  ASSIGN_OR_RETURN(auto cgroups, CgroupTree::Open(std::move(layout),
                                                  absl::StrCat("/cluster-bench-", ::getpid())));
  std::vector<SampledPod> sampled;
  std::vector<pid_t> sleepers;
  for (int i = 0; i < pods; ++i) {
    const std::string uid = absl::StrCat("pod-", i);
    RETURN_IF_ERROR(cgroups->MakePod(uid, {}).status());
    ASSIGN_OR_RETURN(const CgroupGroup leaf, cgroups->MakeLeaf(uid, "main-0", {}));
    ASSIGN_OR_RETURN(sleepers.emplace_back(), Sleeper(leaf));
    sampled.push_back({uid, "default", uid, {{"main", 0}}});
  }
  SamplerParts parts;
  parts.cgroups = cgroups.get();
  parts.clock = RealClock();
  Sampler sampler(std::move(parts));
  std::vector<double> wall;
  std::vector<double> cpu;
  for (int i = 0; i <= looks; ++i) {
    const absl::Duration begin = RealClock()->Monotonic();
    const double cpu_begin = CpuMilliseconds();
    sampler.Look(sampled);
    const double took = absl::ToDoubleMilliseconds(RealClock()->Monotonic() - begin);
    if (i == 0) {
      std::printf("%d pods of one container\n%-28s     %7.2f ms\n", pods, "first look, opens files",
                  took);
      continue;
    }
    wall.push_back(took);
    cpu.push_back(CpuMilliseconds() - cpu_begin);
  }
  Print("each look, wall", wall);
  Print("each look, cpu", cpu);
  for (const pid_t pid : sleepers) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  for (const SampledPod& pod : sampled) RETURN_IF_ERROR(cgroups->RemovePod(pod.uid));
  return cgroups->RemoveParent();
}

}  // namespace
}  // namespace cluster::node

int main(int argc, char** argv) {
  const int pods = argc > 1 ? std::atoi(argv[1]) : 1000;
  const int looks = argc > 2 ? std::atoi(argv[2]) : 20;
  const absl::Status status = cluster::node::Run(pods, looks);
  if (status.ok()) return 0;
  std::fprintf(stderr, "stats_look: %s\n", std::string(status.message()).c_str());
  return 1;
}
