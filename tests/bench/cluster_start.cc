// How long from `apply` to all pods running, on a three-node local cluster of real programs:
//   build/tests/cluster_start [REPLICAS=100] [ROUNDS=5]
// Each round applies a Deployment of new pods, waits until a watch has shown every one of them
// running, scales to twice as many, and deletes it. Prints every round and the medians.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <vector>

#include "absl/time/clock.h"
#include "cli/client.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"

namespace cluster {
namespace {

// Until `count` different pods of the app were seen running, following a watch.
double SecondsUntilRunning(cli::Client& client, const std::string& app, size_t count,
                           absl::Time since) {
  v1::WatchRequest request;
  request.set_kind("Pod");
  request.set_label_selector("app=" + app);
  std::set<std::string> running;
  const absl::Status status =
      client.Watch(request, since + absl::Minutes(2), [&](const v1::WatchEvent& event) {
        if (event.object().pod().status().phase() == v1::POD_PHASE_RUNNING) {
          running.insert(event.object().pod().metadata().uid());
        }
        return running.size() < count;
      });
  if (running.size() < count) {
    std::fprintf(stderr, "only %zu of %zu are running: %s\n", running.size(), count,
                 status.ToString().c_str());
    std::exit(1);
  }
  return absl::ToDoubleSeconds(absl::Now() - since);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int replicas, int rounds) {
  e2e::LocalCluster cluster("bench-start", 3);
  cluster.SetUp();
  e2e::LoadBusybox();
  cli::Client client("unix:/run/cluster/local/bench-start/api.sock", absl::Seconds(60));
  std::vector<double> starts;
  std::vector<double> scales;
  for (int round = 0; round < rounds; ++round) {
    const std::string name = "bench-" + std::to_string(round);
    e2e::DeploymentText deployment;
    deployment.name = name;
    deployment.replicas = replicas;
    const std::string yaml = deployment.Yaml();
    absl::Time begin = absl::Now();
    e2e::Apply(yaml);
    starts.push_back(SecondsUntilRunning(client, name, static_cast<size_t>(replicas), begin));
    begin = absl::Now();
    e2e::CtlOut({"scale", "deploy/" + name, "--replicas", std::to_string(2 * replicas)});
    scales.push_back(SecondsUntilRunning(client, name, static_cast<size_t>(2 * replicas), begin));
    std::printf("round %d: apply %d -> all running %.3f s, scale %d -> %d %.3f s\n", round + 1,
                replicas, starts.back(), replicas, 2 * replicas, scales.back());
    std::fflush(stdout);
    e2e::Delete("deployment", name);
    e2e::Eventually(
        [&] {
          return e2e::GetJson({"pods", "-l", "app=" + name})["items"].empty();
        },
        absl::Minutes(2));
  }
  std::printf("median of %d: apply -> all %d running %.3f s, scale to %d %.3f s\n", rounds,
              replicas, Median(starts), 2 * replicas, Median(scales));
  cluster.TearDown();
  return 0;
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return cluster::Main(argc > 1 ? std::atoi(argv[1]) : 100, argc > 2 ? std::atoi(argv[2]) : 5);
}
