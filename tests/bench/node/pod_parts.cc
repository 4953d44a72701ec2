// What the parts of a pod's start cost on this machine, each p50 and p99 of 300: cgroups with
// limits, an address made durable, a link attached. Everything happens in a network namespace and
// below a cgroup parent of its own.
//
//   build/tests/pod_parts [DIRECTORY FOR THE JOURNAL]
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

#include "base/status.h"
#include "node/cgroup/tree.h"
#include "node/network/pod_network.h"

namespace cluster::node {
namespace {

constexpr int kRounds = 300;

class Series {
 public:
  explicit Series(std::string name) : name_(std::move(name)) {}
  absl::Status Measure(const std::function<absl::Status()>& step) {
    const absl::Time start = absl::Now();
    const absl::Status status = step();
    times_.push_back(absl::Now() - start);
    return status;
  }
  void Print() {
    std::sort(times_.begin(), times_.end());
    absl::PrintF("%-44s %8.3f %8.3f\n", name_,
                 absl::ToDoubleMilliseconds(times_[times_.size() / 2]),
                 absl::ToDoubleMilliseconds(times_[times_.size() * 99 / 100]));
  }

 private:
  std::string name_;
  std::vector<absl::Duration> times_;
};

absl::Status MeasureCgroups() {
  ASSIGN_OR_RETURN(CgroupLayout layout, DiscoverCgroups());
  ASSIGN_OR_RETURN(auto tree,
                   CgroupTree::Open(layout, absl::StrCat("/cluster-bench-", ::getpid())));
  CgroupLimits limits;
  limits.cpu_request_milli = 100;
  limits.cpu_limit_milli = 500;
  limits.memory_request = limits.memory_limit = 64 << 20;
  limits.pids_limit = 1024;
  Series pods("cgroup: pod with limits");
  Series leaves("cgroup: container with limits");
  Series tasks("cgroup: open tasks files");
  Series removals("cgroup: remove both");
  for (int i = 0; i < kRounds; ++i) {
    const std::string uid = absl::StrCat(i);
    RETURN_IF_ERROR(pods.Measure([&] { return tree->MakePod(uid, limits).status(); }));
    RETURN_IF_ERROR(leaves.Measure([&] { return tree->MakeLeaf(uid, "a-0", limits).status(); }));
    ASSIGN_OR_RETURN(const CgroupGroup leaf, tree->FindLeaf(uid, "a-0"));
    RETURN_IF_ERROR(tasks.Measure([&] { return leaf.OpenTasks().status(); }));
    RETURN_IF_ERROR(removals.Measure([&] { return tree->RemovePod(uid); }));
  }
  for (Series* series : {&pods, &leaves, &tasks, &removals}) series->Print();
  return tree->RemoveParent();
}

absl::Status MeasureNetwork(const std::string& directory) {
  ASSIGN_OR_RETURN(auto journal, Journal::Open(absl::StrCat(directory, "/journal")));
  PodNetwork::Config config;
  config.node = "bench";
  config.journal = journal.get();
  ASSIGN_OR_RETURN(auto network, PodNetwork::Open(config));
  RETURN_IF_ERROR(network->SetRange(Cidr{Ipv4{0x0a400000}, 20}, Cidr{Ipv4{0x0a400000}, 10}));
  Series reserves("network: reserve an address, durably");
  Series attaches("network: attach");
  Series published("network: attach with a host port");
  Series releases("network: release");
  for (int i = 0; i < 2 * kRounds; ++i) {
    const std::string uid = absl::StrCat(i);
    std::vector<PublishedPort> ports;
    if (i % 2 == 1) ports.push_back({Protocol::kTcp, {}, static_cast<uint16_t>(10000 + i), 80});
    ASSIGN_OR_RETURN(UniqueFd netns, netlink::CreateNetns());
    RETURN_IF_ERROR(reserves.Measure([&] { return network->Reserve(uid, ports).status(); }));
    Series& attach = ports.empty() ? attaches : published;
    RETURN_IF_ERROR(attach.Measure([&] { return network->Attach(uid, netns.get()); }));
    netns.reset();
    RETURN_IF_ERROR(releases.Measure([&] { return network->Release(uid); }));
  }
  for (Series* series : {&reserves, &attaches, &published, &releases}) series->Print();
  if (network->AwaitReleased(absl::Seconds(30))) return absl::OkStatus();
  return absl::InternalError("links were left over");
}

absl::Status Main(const std::string& parent) {
  std::string directory = absl::StrCat(parent, "/pod-parts-XXXXXX");
  if (::mkdtemp(directory.data()) == nullptr) return ErrnoStatus("make", directory);
  absl::PrintF("%-44s %8s %8s\n", "milliseconds", "p50", "p99");
  absl::Status status = MeasureCgroups();
  if (status.ok()) {
    const auto netns = netlink::CreateNetns();
    status = !netns.ok() ? netns.status() : netlink::RunInNetns(netns->get(), [&directory] {
      return MeasureNetwork(directory);
    });
  }
  std::filesystem::remove_all(directory);
  return status;
}

}  // namespace
}  // namespace cluster::node

int main(int argc, char** argv) {
  const absl::Status status = cluster::node::Main(argc > 1 ? argv[1] : "/tmp");
  if (status.ok()) return 0;
  absl::FPrintF(stderr, "pod_parts: %s\n", status.ToString());
  return 1;
}
