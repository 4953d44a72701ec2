// What an agent with many idle pods takes: memory and processor time of cluster-node, and of the
// controller beside it, on a local cluster of one node.
//   build/tests/agent_idle [PODS=1000] [SECONDS=30]
#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/bench/bench_tools.h"
#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"

namespace cluster {
namespace {

constexpr char kName[] = "bench-idle";

int PidOf(const std::string& program) {
  const std::string path = absl::StrCat("/run/cluster/local/", kName, "/pids/", program);
  // The pid, and when it began.
  std::istringstream words(ReadFile(path).value_or(""));
  int pid = 0;
  if (words >> pid) return pid;
  std::fprintf(stderr, "no pid in %s\n", path.c_str());
  std::exit(1);
}

int Main(int pods, int seconds) {
  e2e::LocalCluster cluster(kName, 1);
  cluster.SetUp();
  e2e::LoadBusybox();
  const int node = PidOf("node1");
  const int controller = PidOf("controller");
  std::printf("%-14s %12s %12s\n", "", "resident MiB", "of a core");
  for (const int count : {0, pods}) {
    if (count > 0) {
      e2e::DeploymentText deployment;
      deployment.name = "idle";
      deployment.replicas = count;
      e2e::Apply(deployment.Yaml());
      e2e::CtlOut({"rollout", "status", "deploy/idle", "--timeout", "115s"});
    }
    const double node_before = CpuSeconds(node);
    const double controller_before = CpuSeconds(controller);
    poll(nullptr, 0, seconds * 1000);
    std::printf("%5d pods\n%-14s %12.1f %11.2f %%\n%-14s %12.1f %11.2f %%\n", count,
                "  cluster-node", Mebibytes(node, "VmRSS"),
                100 * (CpuSeconds(node) - node_before) / seconds, "  controller",
                Mebibytes(controller, "VmRSS"),
                100 * (CpuSeconds(controller) - controller_before) / seconds);
    std::fflush(stdout);
  }
  e2e::CtlOut({"delete", "deployment", "idle", "--wait=false"});
  cluster.TearDown();
  return 0;
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return cluster::Main(argc > 1 ? std::atoi(argv[1]) : 1000, argc > 2 ? std::atoi(argv[2]) : 30);
}
