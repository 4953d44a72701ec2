// What the benches of the runtime share: a clock, series of measurements, programs to run, and the
// runtime itself with network, cgroups and journal in a place of its own. A bench that cannot go on
// says why and ends the process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/runtime/kernel_runtime.h"

namespace cluster::node {

[[noreturn]] void Die(const std::string& what);

void Must(const absl::Status& status, const std::string& what);

template <typename T>
T Must(absl::StatusOr<T> value, const std::string& what) {
  Must(value.status(), what);
  return *std::move(value);
}

// CLOCK_MONOTONIC, nanoseconds; start_probe tells the same.
int64_t Now();

struct Spawned {
  pid_t pid = 0;
  UniqueFd in;
  UniqueFd out;
};
Spawned Spawn(const std::vector<std::string>& argv);
std::string ReadLine(int fd);
int64_t NumberOf(const std::string& text, const std::string& who);
// The directory that this program lies in.
std::string ProgramDirectory();

// What is measured: a name and nanoseconds per round.
struct Series {
  std::string name;
  std::vector<int64_t> nanoseconds;
  double Percentile(double p) const;  // milliseconds
};

// Directories of one run, removed at the end: one on a disk, one on a tmpfs, and a layer of an
// image with busybox and, as /probe, start_probe. The disk is a file system of its own on a loop
// device, ext4 as installers make it, so that figures do not depend on what the machine's own is
// (without a journal, creating a file costs more the more were deleted of late; with `discard`,
// removing a directory waits for the device). Makes the process live in network and mount
// namespaces of its own, with nothing beyond.
class BenchPlace {
 public:
  explicit BenchPlace(const std::string& name);
  ~BenchPlace();
  const std::string& base() const { return base_; }
  const std::string& run() const { return run_; }
  const std::string& layer() const { return layer_; }

 private:
  std::string image_;
  std::string base_;
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
