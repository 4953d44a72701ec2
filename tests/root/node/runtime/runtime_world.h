// A node's runtime for tests: directories, cgroup parent and network namespace of its own, and the
// verbs with fewer words. Everything goes with it; Census tells whether it did.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "base/mutex.h"
#include "node/runtime/kernel_runtime.h"
#include "tests/root/node/runtime/rootfs_fixture.h"

namespace cluster::node {

// Moves the process into network and mount namespaces of its own, once.
void EnterTestNamespaces();

// What one agent holds open.
struct Agent {
  std::unique_ptr<CgroupTree> cgroups;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<PodNetwork> network;
  std::unique_ptr<KernelRuntime> runtime;
  std::vector<RecoveredPod> recovered;

  ~Agent();
};
// Opens everything below `base` and recovers. `parent` is the cgroup parent.
using AdjustOptions = std::function<void(KernelRuntimeOptions*)>;
absl::StatusOr<std::unique_ptr<Agent>> StartAgent(const std::string& base,
                                                  const std::string& parent,
                                                  const AdjustOptions& adjust = {});

// Counts of what must not be left behind, read from the kernel and the disk.
struct Census {
  std::set<std::string> mounts;     // of the host, new since the test began
  std::set<std::string> links;      // of this network namespace
  std::set<std::string> cgroups;    // below the parent
  std::set<std::string> files;      // below state/pods and run/pods
  std::set<std::string> leases;     // in the journal, while an agent of ours holds it
  std::set<std::string> processes;  // cluster-init of this world
  std::set<std::string> rules;      // lines of nftables' rules and elements, of this namespace
  friend bool operator==(const Census&, const Census&) = default;
};
std::string Describe(const Census& census);

class RuntimeWorld {
 public:
  // With `disk_bytes`, the state directory is a file system of its own of that size.
  explicit RuntimeWorld(int64_t disk_bytes = 0);
  ~RuntimeWorld();

  // A new agent on what is there; the old one, if any, lets go first.
  void StartAgent(const AdjustOptions& adjust = {});
  void StopAgent() { agent_.reset(); }
  KernelRuntime& runtime() { return *agent_->runtime; }
  Agent& agent() { return *agent_; }

  SandboxSpec Sandbox(const std::string& uid) const;
  SandboxState Prepare(const SandboxSpec& spec);
  SandboxState Prepare(const std::string& uid) { return Prepare(Sandbox(uid)); }
  ContainerSpec Spec(const std::string& uid, std::vector<std::string> argv) const;
  // Starts it; its state as StartContainer returns it.
  ContainerState Start(const ContainerSpec& spec);
  ContainerState StartIn(const std::string& uid, std::vector<std::string> argv) {
    return Start(Spec(uid, std::move(argv)));
  }
  // Until it is not running any more.
  ContainerState Await(const std::string& uid, const std::string& name = "main");
  // Until `text` is in the log.
  void AwaitLog(const std::string& uid, const std::string& text, const std::string& name = "main");
  // Prepares `uid` when needed, runs the command to its end.
  struct Outcome {
    ContainerState state;
    std::string log;  // texts of stdout and stderr as they came
  };
  Outcome Run(const std::string& uid, std::vector<std::string> argv);
  Outcome RunSpec(const ContainerSpec& spec) { return RunIn(Sandbox(spec.pod_uid), spec); }
  Outcome RunIn(const SandboxSpec& sandbox, const ContainerSpec& spec);
  std::string Log(const std::string& uid, const std::string& name = "main", int attempt = 0);
  // The texts of whole records.
  static std::string TextOf(const std::string& raw);
  // As it is in its files, one after the other.
  std::string RawLog(const std::string& uid, const std::string& name, int attempt);

  Census TakeCensus();
  // The pod's cluster-init; -1 and a failure where there is none.
  pid_t InitOf(const std::string& uid);
  // Waits until links that are on their way out are gone.
  void AwaitQuiet();

  const std::string& base() const { return directory_.path(); }
  const std::string& parent() const { return parent_; }
  const std::string& layer() const { return layer_; }

 private:
  TemporaryDirectory directory_;
  std::string parent_;
  std::string layer_;
  bool own_disk_;
  std::set<std::string> first_mounts_;
  std::unique_ptr<Agent> agent_;
  Mutex mutex_;
  CondVar changed_;
  int changes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cluster::node
