// A runtime in memory that behaves: containers start, run, obey signals, end when told to, and
// outlive the agent that started them, because the world they live in is an object of its own.
//
// A test keeps one FakeMachine and makes a FakeRuntime on it for every agent it starts.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

// What runs on the pretended machine. Thread-safe.
class FakeMachine {
 public:
  // `clock` gives the times of starts and ends. `log_directory` is where log files are written.
  FakeMachine(const Clock* clock, std::string log_directory);

  // The process ends by itself. False when no such container runs.
  bool Exit(const std::string& pod_uid, const std::string& container, int code);
  bool OomKill(const std::string& pod_uid, const std::string& container);
  // What it writes about its end, to be shown once it has ended.
  void SetLastWords(const std::string& pod_uid, const std::string& container,
                    const std::string& words);
  // The pod's cluster-init is killed: nobody saw how its containers ended.
  void LoseSandbox(const std::string& pod_uid);
  // Everything stops, what is on disk stays known.
  void PowerCycle();
  // What the container cannot do without: a resize below it is refused.
  void UseMemory(const std::string& pod_uid, const std::string& container, int64_t bytes);
  // A line of output, as cluster-init would write it.
  absl::Status WriteLog(const std::string& pod_uid, const std::string& container,
                        const std::string& line);

  // Makes verbs fail from now on: called before each with its name ("PrepareSandbox",
  // "StartContainer", "Signal", "Kill", "Resize", "Remove") and the pod's uid. May block.
  void SetFault(std::function<absl::Status(const std::string& verb, const std::string& uid)> fault);
  // A container that gets one of the signals it ignores goes on; others end it with 128 + n.
  void IgnoreSignals(bool ignore);

  struct Counts {
    int sandboxes_made = 0;
    int started = 0;
    int signals = 0;
    int kills = 0;
    int removed = 0;
  };
  Counts counts() const;
  // Verbs in order, as "StartContainer uid/web/0".
  std::vector<std::string> verbs() const;
  std::vector<std::string> pods() const;
  // Commands that were started and have not ended; as last started.
  int running_execs() const;
  ExecSpec LastExec(const std::string& pod_uid) const;
  // Until a command runs.
  void AwaitExec();
  // As last started.
  ContainerSpec LastSpec(const std::string& pod_uid, const std::string& container) const;
  SandboxSpec LastSandboxSpec(const std::string& pod_uid) const;
  // The pod's volumes, contents as last made or updated.
  std::map<std::string, VolumeSpec> Volumes(const std::string& pod_uid) const;
  std::set<std::string> claims() const;

 private:
  friend class FakeRuntime;
  friend class EchoProcess;
  struct Instance {
    ContainerSpec spec;
    ContainerState state;
    int64_t memory_in_use = 0;
  };
  struct FakePod {
    SandboxSpec spec;
    SandboxState sandbox;
    bool alive = true;
    std::map<std::string, Instance> containers;
    std::map<std::string, VolumeSpec> volumes;
  };

  absl::Status Enter(const std::string& verb, const std::string& uid, const std::string& what);
  bool End(const std::string& uid, const std::string& container, int code, int signal, bool oom);
  void Notify(const std::string& uid);
  void CountExec(int change);
  std::string LogPath(const std::string& uid, const std::string& container, int attempt) const;

  const Clock* const clock_;
  const std::string log_directory_;
  mutable Mutex mutex_;
  std::map<std::string, FakePod> pods_ ABSL_GUARDED_BY(mutex_);
  std::function<absl::Status(const std::string&, const std::string&)> fault_
      ABSL_GUARDED_BY(mutex_);
  std::function<void(const std::string&)> listener_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> verbs_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> claims_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, ExecSpec> execs_ ABSL_GUARDED_BY(mutex_);
  int running_execs_ ABSL_GUARDED_BY(mutex_) = 0;
  CondVar exec_changed_;
  bool ignore_signals_ ABSL_GUARDED_BY(mutex_) = false;
  int next_pid_ ABSL_GUARDED_BY(mutex_) = 1000;
  int next_address_ ABSL_GUARDED_BY(mutex_) = 2;
};

// One agent's hold on the machine. `machine` must outlive it.
class FakeRuntime : public Runtime {
 public:
  explicit FakeRuntime(FakeMachine* machine) : machine_(machine) {}
  ~FakeRuntime() override;

  void SetListener(std::function<void(const std::string& pod_uid)> listener) override;
  absl::StatusOr<SandboxState> PrepareSandbox(const SandboxSpec& spec) override;
  absl::StatusOr<ContainerState> StartContainer(const ContainerSpec& spec) override;
  absl::Status UpdateVolumes(const std::string& pod_uid,
                             const std::vector<VolumeSpec>& volumes) override;
  absl::StatusOr<std::vector<std::string>> ListClaims() override;
  absl::Status RemoveClaim(const std::string& name) override;
  absl::Status Signal(const ContainerId& id, int signal) override;
  absl::Status Kill(const ContainerId& id) override;
  absl::Status Resize(const ResizeSpec& spec) override;
  absl::StatusOr<std::vector<ContainerState>> Poll(const std::string& pod_uid) override;
  // Runs `cat`-like echo in memory: what is written to stdin comes back on stdout; argv
  // {"exit","N"} ends with N at once.
  absl::StatusOr<std::unique_ptr<ExecProcess>> Exec(const ExecSpec& spec) override;
  // Echoes too; "Attach uid/container" is among the verbs.
  absl::StatusOr<std::unique_ptr<ExecProcess>> Attach(const AttachSpec& spec) override;
  // All pods share the machine's own loopback.
  absl::StatusOr<PodConnection> Dial(const std::string& pod_uid, uint16_t port) override;
  std::string LogDirectory(const std::string& pod_uid, const std::string& container) override;
  absl::Status Release(const std::string& pod_uid) override;
  absl::Status Remove(const std::string& pod_uid) override;
  absl::StatusOr<std::vector<RecoveredPod>> Recover() override;

 private:
  FakeMachine* const machine_;
};

}  // namespace cluster::node
