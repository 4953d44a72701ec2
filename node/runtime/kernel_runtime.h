// The runtime that builds containers itself, straight on the kernel: cgroups (node/cgroup), the
// pod's network (node/network), and one cluster-init per pod (node/init) which does everything
// between clone and exec and outlives the agent.
//
// A pod on disk: see pod_directory.h. What is made is recorded before: a pod's directory and its
// `sandbox` file exist before its cgroups, its lease before its link, an instance's directory
// before its cgroup and process. None of these records is synced, as what they speak of does not
// outlive the machine's power either; exit codes are, by cluster-init.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/strand.h"
#include "node/cgroup/cpu_pool.h"
#include "node/cgroup/tree.h"
#include "node/init/client.h"
#include "node/init/init_template.h"
#include "node/init/plan_writer.h"
#include "node/network/pod_network.h"
#include "node/process/spawn.h"
#include "node/runtime/id_ranges.h"
#include "node/runtime/pod_directory.h"
#include "node/runtime/precedence.h"
#include "node/runtime/runtime.h"
#include "node/seccomp/filters.h"
#include "node/volume/volume_store.h"

namespace cluster::node {

// Of each pod's cluster-init, in the pod's run directory.
inline constexpr char kInitSocket[] = "init.sock";

struct KernelRuntimeOptions {
  std::string state_dir;          // absolute, survives a power cut; seccomp/ in it holds profiles
  std::string run_dir;            // absolute, empty after a power cut; only root may enter
  std::string init_program;       // path of cluster-init
  CgroupTree* cgroups = nullptr;  // outlive the runtime
  PodNetwork* network = nullptr;
  int64_t default_pids_limit = 4096;  // per container
  // Pods to be that are kept ready, of each kind that was asked for: namespaces, ids and network.
  int spares = 2;
  // Attaches tmpfs volumes below the run directory, as on kernels before 6.15.
  bool attach_volumes = false;
  // The host ids that pods' user namespaces get, 65536 each; other agents of the machine need
  // others.
  IdRange user_ids = kContainerIds;
  int64_t pod_pids_limit = 16384;  // all of a pod's containers and cluster-init
  // Not empty: containers that want whole cpus get some of these for themselves alone, and all
  // others keep to the rest. On v1 what was started without it stays where it is.
  std::vector<Cpu> cpus;
  // Of one container's log: how large a file may become, and how many there are with the newest.
  int64_t log_max_bytes = 10 << 20;
  int log_max_files = 5;
};

// Thread-safe as Runtime asks: verbs of one pod one after another, all else in parallel.
class KernelRuntime : public Runtime {
 public:
  // Makes the directories. Errors: what mkdir, open and epoll say.
  static absl::StatusOr<std::unique_ptr<KernelRuntime>> Open(KernelRuntimeOptions options);
  // Lets go of everything; pods live on.
  ~KernelRuntime() override;

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
  absl::StatusOr<std::unique_ptr<ExecProcess>> Exec(const ExecSpec& spec) override;
  absl::StatusOr<std::unique_ptr<ExecProcess>> Attach(const AttachSpec& spec) override;
  absl::StatusOr<PodConnection> Dial(const std::string& pod_uid, uint16_t port) override;
  std::string LogDirectory(const std::string& pod_uid, const std::string& container) override;
  absl::Status Release(const std::string& pod_uid) override;
  absl::Status Remove(const std::string& pod_uid) override;
  absl::StatusOr<std::vector<RecoveredPod>> Recover() override;
  // Lets go of the pods to be. Others are made when a container starts.
  void DropSpares();

 private:
  explicit KernelRuntime(KernelRuntimeOptions options)
      : options_(std::move(options)), ids_(options_.user_ids), cpus_(options_.cpus) {}

  PodDirectory DirectoryOf(const std::string& uid) const {
    return PodDirectory(options_.state_dir, options_.run_dir, uid);
  }
  // NotFound: its cluster-init is dead, or never was.
  absl::StatusOr<InitClient> Connect(const std::string& uid,
                                     absl::Duration timeout = absl::Seconds(10)) const;
  // Checks the names first.
  absl::StatusOr<InitClient> ConnectTo(const std::string& uid, const std::string& container) const;
  absl::StatusOr<std::vector<InitRecord>> QueryInit(const std::string& uid) const;
  absl::StatusOr<CgroupGroup> MakeInitGroup(const SandboxSpec& spec);
  // A mould with the namespaces that pods of its flags have; ids that it uses are held.
  struct Spare {
    uint32_t flags = 0;
    std::optional<uint32_t> first_id;
    InitClient mould;
    std::string network;  // what it is called by PodNetwork; empty: it has none
  };
  struct Begun {
    InitClient init;
    bool joined = false;  // the pod is in the network
  };
  // Of cluster-init's birth; see kernel_birth.cc.
  absl::StatusOr<Begun> TakeMould(const SandboxSpec& spec, const PodDirectory& directory,
                                  std::optional<uint32_t>* first_id);
  std::unique_ptr<Spare> TakeSpare(uint32_t flags);
  // Has what is missing of the kinds that were asked for made, beside whoever starts pods.
  void OrderSpares();
  void KeepSpares();
  void KeepSparesOf(uint32_t flags);
  absl::StatusOr<std::unique_ptr<Spare>> MakeSpare(uint32_t flags,
                                                   std::optional<uint32_t> first_id);
  absl::StatusOr<Begun> BeginInit(const SandboxSpec& spec, const PodDirectory& directory,
                                  bool in_its_group);
  absl::StatusOr<InitWelcome> BeginAnew(const SandboxSpec& spec, const PodDirectory& directory,
                                        absl::StatusOr<Begun>* begun);
  absl::Status MeetInit(const SandboxSpec& spec, const PodDirectory& directory,
                        absl::StatusOr<Begun> begun);
  absl::Status KillStrayInit(const std::string& uid);
  absl::Status Adopt(const std::string& uid, InitClient init);
  void WatchConversation(const std::string& uid, InitClient init);
  absl::Status ClearDead(const PodDirectory& directory, const std::string& uid);
  // Cpus of their own; see kernel_cpus.cc.
  std::string CommonCpus(int64_t* version);
  absl::StatusOr<std::string> GiveCpus(const ContainerSpec& spec);
  absl::StatusOr<CpuSet> HoldCpus(const std::string& uid, const std::string& container, int count,
                                  bool until_end);
  absl::Status MoveToCommonCpus();
  absl::Status SettleCpus();  // moves them where that has not been done since the last change
  absl::Status ReturnCpus(const std::string& uid);
  void ReturnCpusOfEnded(const std::string& uid, const ContainerState& ended);
  absl::Status TakeBackFromPod(const std::string& uid);
  void ReturnIds(std::optional<uint32_t> first_id);
  absl::Status AdoptCpus(const std::string& uid);
  absl::Status CheckCpusKept(const ResizeSpec& spec, const SandboxSpec& sandbox);
  absl::StatusOr<CgroupGroup> MakeCommonLeaf(const std::string& uid, const std::string& leaf,
                                             CgroupLimits limits);
  CgroupLimits PodLimits(const Resources& resources) const;
  CgroupLimits ContainerLimits(const ContainerSpec& spec) const;
  CgroupLimits StartingLimits(const SandboxSpec& spec) const;
  void SettlePod(const std::string& uid);
  absl::Status RecoverPod(RecoveredPod& pod, absl::Time deadline);
  void EndProbes(const std::string& uid);
  static absl::StatusOr<std::vector<PublishedPort>> PortsOf(const SandboxSpec& spec);
  absl::StatusOr<PodAddress> ReserveFor(const SandboxSpec& spec);
  // `joined`: all that is left to do are settings of its namespaces.
  absl::Status Attach(const std::string& uid, InitWelcome welcome, bool joined = false);
  void AttachInBackground(const std::string& uid, InitWelcome welcome, bool joined);
  void AwaitAttach(const std::string& uid);
  // Returns once the pod's network is there; joins it where that was cut off or failed.
  absl::Status EnsureAttached(const std::string& uid);
  // Unavailable names those that do not end.
  absl::Status KillRemains(const std::string& uid, absl::Duration patience);
  std::string BlockersOf(const std::string& uid, const std::string& leaf) const;
  absl::Status AdoptLate(const std::string& uid);
  void LookAgain(const std::string& uid, const absl::Status& killed, ContainerState* state);
  void HoldOnTo(const std::string& uid, const std::string& name, int32_t attempt);
  void LetGoOf(const std::string& uid, const ContainerState& state);
  void LetGoOfAll(const std::string& uid);
  absl::StatusOr<LaunchPlan> PlanFor(const ContainerSpec& spec, const PodDirectory& directory,
                                     std::vector<PlannedVolume> volumes) const;
  std::string ClaimDirectory() const;
  // `init` outlives it.
  absl::StatusOr<VolumeStore> VolumesOf(const std::string& uid, InitClient* init) const;
  // In the order of the mount plan for `planned`.
  absl::StatusOr<std::vector<BoundVolume>> BindVolumes(const ContainerSpec& spec, InitClient* init,
                                                       std::vector<PlannedVolume>* planned) const;
  absl::StatusOr<CgroupGroup> MakeContainerGroup(const ContainerSpec& spec);
  absl::StatusOr<std::optional<ContainerState>> FindHalfStarted(
      const ContainerSpec& spec, const PodDirectory& directory) const;
  absl::StatusOr<InitRecord> Launch(const ContainerSpec& spec, const PodDirectory& directory,
                                    InitClient& init);
  // The newest instance of each container, as the files say.
  std::vector<ContainerState> RecordedStates(const std::string& uid) const;
  absl::StatusOr<std::vector<ContainerState>> StatesOf(const std::string& uid, bool* alive);
  void ForgetOlderInstances(const ContainerSpec& spec);

  // The hint thread: watches every pod's conversation and the ends of what we spawned.
  void WatchInits();
  void HandleEvent(int fd);
  void Watch(int fd, const std::string& uid, UniqueFd owned, bool is_process);

  const KernelRuntimeOptions options_;
  std::string skeleton_;  // lowest layer of every container
  std::unique_ptr<InitTemplate> template_;
  UniqueFd null_;
  std::unique_ptr<SyscallFilters> filters_;
  uint64_t open_files_ = 0;  // this process's hard limit
  UniqueFd epoll_;
  UniqueFd stop_;  // eventfd

  struct Watched {
    std::string uid;
    UniqueFd fd;
    bool is_process = false;
  };
  Precedence precedence_;
  Mutex mutex_;
  IdRanges ids_ ABSL_GUARDED_BY(mutex_);
  std::list<std::unique_ptr<Spare>> spares_ ABSL_GUARDED_BY(mutex_);
  bool spares_ordered_ ABSL_GUARDED_BY(mutex_) = false;  // KeepSpares is to run
  bool keeping_spares_ ABSL_GUARDED_BY(mutex_) = false;
  bool dropping_spares_ ABSL_GUARDED_BY(mutex_) = false;  // no more is to be made
  CondVar spares_kept_;
  std::set<uint32_t> wanted_spares_ ABSL_GUARDED_BY(mutex_) = {init::kPodHasUsers};
  std::function<void(const std::string&)> listener_ ABSL_GUARDED_BY(mutex_);
  std::map<int, Watched> watched_ ABSL_GUARDED_BY(mutex_);
  CpuPool cpus_ ABSL_GUARDED_BY(mutex_);
  int64_t cpus_version_ ABSL_GUARDED_BY(mutex_) = 0;  // grows with every change
  int64_t cpus_settled_ ABSL_GUARDED_BY(mutex_) = 0;  // the version that all groups follow
  std::set<std::string> cpus_until_end_ ABSL_GUARDED_BY(mutex_);  // their holders
  std::set<std::string> attaching_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> unadopted_ ABSL_GUARDED_BY(mutex_);
  // Pidfds of containers that run, by "uid/name/attempt"; see kernel_ends.cc.
  std::map<std::string, UniqueFd> instances_ ABSL_GUARDED_BY(mutex_);
  CondVar attached_;
  std::thread watcher_;
  Strand network_strand_{"runtime-net"};
  Strand spare_strand_{"runtime-spares"};
  Strand sweeper_{"runtime-sweep"};  // removes trees off the callers' path
};

}  // namespace cluster::node
