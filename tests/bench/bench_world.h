// What the benches of the runtime share: the runtime itself with network, cgroups and journal in a
// place of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "node/runtime/kernel_runtime.h"
#include "tests/bench/bench_tools.h"

namespace cluster::node {

int64_t NumberOf(const std::string& text, const std::string& who);

// Directories of one run, removed at the end: one on a disk, one on a tmpfs, and a layer of an
// image with busybox and, as /probe, start_probe. Makes the process live in network and mount
// namespaces of its own, with nothing beyond.
class BenchPlace {
 public:
  explicit BenchPlace(const std::string& name);
  ~BenchPlace();
  const std::string& base() const { return disk_.path(); }
  const std::string& run() const { return run_; }
  const std::string& layer() const { return layer_; }

 private:
  const BenchDisk disk_;
  std::string run_;
  std::string layer_;
};

// KernelRuntime as cluster-node has it. Pods of 100m and 64Mi.
class BenchRuntime {
 public:
  explicit BenchRuntime(const BenchPlace& place);
  ~BenchRuntime();

  SandboxSpec Sandbox(int number) const;
  ContainerSpec Container(int number, std::vector<std::string> argv) const;
  // Both verbs; the container runs.
  void Start(int number, std::vector<std::string> argv);
  void Remove(int number);
  // When the first instruction of a container that runs /probe was, and ended.
  int64_t AwaitProbe(int number);
  KernelRuntime& runtime() { return *runtime_; }
  static std::string UidOf(int number);

 private:
  const std::string layer_;
  std::string parent_;
  std::unique_ptr<CgroupTree> cgroups_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<PodNetwork> network_;
  std::unique_ptr<KernelRuntime> runtime_;
};

}  // namespace cluster::node
