// What the agent asks of a runtime. Two implementations: KernelRuntime (runtime/kernel_runtime.h)
// and FakeRuntime (runtime/fake_runtime.h), which behaves and fails on demand.
//
// Every verb is idempotent and may block; the pod worker calls it from its own thread, at most one
// verb per pod at a time, different pods in parallel. Errors: Unavailable = try again,
// ResourceExhausted = the machine is short of something, InvalidArgument = this spec can never run,
// Internal = ours.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/unique_handle.h"
#include "node/runtime/container_state.h"
#include "node/runtime/dial.h"
#include "node/runtime/resources.h"
#include "node/volume/volume.h"

namespace cluster::node {

struct HostPort {
  std::string host_ip;  // empty = any
  uint16_t host_port = 0;
  uint16_t container_port = 0;
  std::string protocol;  // "tcp", "udp", "sctp"
};

// What a pod's containers share: cgroup parent, network, ipc and uts namespaces, /etc/hosts.
struct SandboxSpec {
  std::string uid;         // names everything of the pod on the node
  std::string name_space;  // for people
  std::string name;
  std::string hostname;     // at most 64 characters
  std::string domain_name;  // what /etc/hosts has beside it, "db-0.db.default.svc.cluster.local"
  Qos qos = Qos::kBestEffort;
  Resources resources;  // of the whole pod
  std::vector<HostPort> host_ports;
  std::vector<std::string> extra_hosts_lines;  // hostAliases, one /etc/hosts line each
  std::string resolv_conf;                     // whole file
  // Namespaces that the pod does without. `host_users` false: a user namespace with 65536 ids of
  // the pod's own, which the runtime chooses and keeps for as long as the pod is there.
  bool host_users = false;
  bool host_network = false;
  bool host_pid = false;
  bool host_ipc = false;
  bool share_process_namespace = false;
  std::vector<std::pair<std::string, std::string>> sysctls;  // name with dots, value
  // The pod's containers are killed once the lease in this file is over (session/lease_file.h),
  // also where no agent runs; "" = they are not.
  std::string lease_file;
};

struct SandboxState {
  std::string uid;
  std::string ip;  // of eth0 inside
  // When it was made, in nanoseconds of the wall clock: another one for every sandbox that the pod
  // ever has, which is all that it is good for. 0 = there is none.
  int64_t made_ns = 0;
};

// An unpacked image as the image store hands it out.
struct RootfsSource {
  std::vector<std::string> layers;  // absolute directories, lowest first
};

// What a container may do beyond and below the default. Ids are those inside of the container.
struct SecuritySpec {
  uint64_t capabilities = 0x800405fb;  // bit N = capability N; bounding set, and root's own
  bool no_new_privileges = true;
  // "" = the default profile, "unconfined", or "localhost/" and a path below the node's directory
  // of profiles.
  std::string seccomp;
  bool read_only_root = false;
  bool masked_paths = true;  // hide and write-protect parts of /proc and /sys
  bool privileged = false;   // all devices, writable /sys and /proc/sys
  // Instead of what the image's USER says.
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  bool must_not_be_root = false;
  std::vector<uint32_t> supplemental_groups;
  bool groups_of_image = true;  // those of the image's /etc/group, too
};

// Seconds that the container's clocks are ahead of the node's. time_namespaces(7)
struct TimeOffsets {
  int64_t boottime = 0;
  int64_t monotonic = 0;
};

struct ContainerSpec {
  std::string pod_uid;
  std::string name;
  int32_t attempt = 0;  // restart count; (pod_uid, name, attempt) is the identity of an instance
  RootfsSource rootfs;
  std::vector<std::string> argv;  // not empty; argv[0] is looked up in the container's PATH
  std::vector<std::string> env;   // "K=V"
  std::string working_dir;        // empty = "/"; made when missing
  std::string user;  // as in the image: "", "uid", "name", "user:group"; looked up inside
  Resources resources;
  // An init container: once it has ended, the cpus that it had for itself are anybody's.
  bool runs_before_others = false;
  // Bytes that it may write into its root, where the file system has project quotas; 0 = no limit.
  int64_t disk_limit = 0;
  int32_t oom_score_adj = 0;
  OomPolicy oom_policy = OomPolicy::kContainer;
  SecuritySpec security;
  std::optional<TimeOffsets> time_offsets;  // none = the node's time namespace
  std::vector<VolumeSpec> pod_volumes;      // those that `volumes` names
  std::vector<VolumeBind> volumes;
  // Where the container writes why it ended; empty = nowhere. A file of the instance's is mounted
  // there, and its content (at most 4096 bytes) is in ContainerState::termination_message.
  std::string termination_message_path;
  bool tty = false;    // a pty instead of pipes
  bool stdin = false;  // kept open for Attach; otherwise /dev/null
  bool stdin_once = false;
  // Shares the processes of this running container of the pod; "" = its own, or the pod's.
  std::string pid_namespace_of;
};

struct TerminalSize {
  uint16_t rows = 0;
  uint16_t columns = 0;
};

struct ExecSpec {
  std::string pod_uid;
  std::string container;
  std::vector<std::string> argv;
  bool stdin = false;
  bool tty = false;
  TerminalSize size;
  // Empty: in the container's cgroup. Otherwise the command has one of its own below that,
  // "<group>-N", from which nothing that it starts can get away; Kill then ends all of it. Those
  // named kProbeGroup are ended with their agent.
  std::string group;
};

inline constexpr char kProbeGroup[] = "probe";
inline constexpr char kHookGroup[] = "hook";

// Joins what runs already. What it wrote before is in its log.
struct AttachSpec {
  std::string pod_uid;
  std::string container;
  bool stdin = false;  // InvalidArgument for a container without one
  TerminalSize size;   // with a tty
};

// A command running in a container, or a container that somebody is attached to. The descriptors
// are the agent's ends: non-blocking, close-on-exec. Of a command with a tty, `stdout_fd` is the
// pty's master for both directions and the other two are not valid.
class ExecProcess {
 public:
  virtual ~ExecProcess() = default;
  UniqueFd stdin_fd;
  UniqueFd stdout_fd;
  UniqueFd stderr_fd;
  virtual absl::Status Resize(TerminalSize size) = 0;
  // Waits for the end; 128 + signal when a signal ended it. Once.
  virtual absl::StatusOr<int> Wait() = 0;
  // Readable once Wait would return at once; for poll alone.
  virtual int end_fd() const = 0;
  // Ends it (and what it started) now. A container is only detached from, and runs on.
  virtual void Kill() = 0;
};

// One pod as found at start.
struct RecoveredPod {
  SandboxSpec spec;
  SandboxState sandbox;
  bool alive = false;  // its cluster-init answers
  std::vector<ContainerState> containers;
};

class Runtime {
 public:
  virtual ~Runtime() = default;

  // Called (from any thread) with a pod's uid when something about it changed: look again. A hint.
  virtual void SetListener(std::function<void(const std::string& pod_uid)> listener) = 0;

  // Makes cgroup, namespaces, network and cluster-init; returns what is there when it is there.
  virtual absl::StatusOr<SandboxState> PrepareSandbox(const SandboxSpec& spec) = 0;

  // Returns once the container's process has exec'd (or failed to: state kExited with a message).
  // An instance that was started before is returned as it is now, never started again.
  virtual absl::StatusOr<ContainerState> StartContainer(const ContainerSpec& spec) = 0;

  // Brings the contents of the pod's kFiles volumes up to date, each at once or not at all; those
  // of other kinds are left alone. NotFound: no such sandbox.
  virtual absl::Status UpdateVolumes(const std::string& pod_uid,
                                     const std::vector<VolumeSpec>& volumes) = 0;

  // Names of the claims that have a directory on the node, sorted.
  virtual absl::StatusOr<std::vector<std::string>> ListClaims() = 0;
  // Removes a claim's directory with all that is in it. The caller knows that no pod uses it.
  virtual absl::Status RemoveClaim(const std::string& name) = 0;

  // To the container's first process, by pidfd. Ok when it ended already.
  virtual absl::Status Signal(const ContainerId& id, int signal) = 0;

  // Kills every process of the container at once, whatever its namespaces.
  virtual absl::Status Kill(const ContainerId& id) = 0;

  // The newest instance of each container of the pod, and how it is. NotFound: no such sandbox.
  virtual absl::StatusOr<std::vector<ContainerState>> Poll(const std::string& pod_uid) = 0;

  // Sets cpu and memory of the pod and of those of its running containers that are named, without a
  // moment in which one of them may use less than it had before and will have. FailedPrecondition,
  // with nothing changed: a memory limit is below what is in use. NotFound: no such sandbox. An
  // instance that does not run is left out. InvalidArgument: it has cpus of its own, whose number
  // changes only between two instances.
  virtual absl::Status Resize(const ResizeSpec& spec) = 0;

  virtual absl::StatusOr<std::unique_ptr<ExecProcess>> Exec(const ExecSpec& spec) = 0;
  // Unimplemented: the pod was started by an agent that did not know this.
  virtual absl::StatusOr<std::unique_ptr<ExecProcess>> Attach(const AttachSpec& spec) = 0;

  // TCP to this port of the pod's own loopback, as one of its processes would connect. Unavailable:
  // nobody listens there. NotFound: no such sandbox.
  virtual absl::StatusOr<PodConnection> Dial(const std::string& pod_uid, uint16_t port) = 0;

  // Directory of the log files of one container: `<attempt>.log`, lines "RFC3339Nano stdout|stderr
  // F|P text"; its older parts are `<attempt>.log.1`, `.2` and so on, the highest the newest.
  virtual std::string LogDirectory(const std::string& pod_uid, const std::string& container) = 0;

  // Takes back all that a pod holds of the node but its records, last words and logs: cluster-init,
  // groups, address, ports, cpus, ids, what its containers and volumes wrote. For a pod that is
  // over: nothing starts in it again. Unavailable as with Remove. Ok when it was done before.
  virtual absl::Status Release(const std::string& pod_uid) = 0;

  // Ends and removes everything of the pod, logs and records too. Unavailable while something is
  // stuck: call again later, meanwhile its address stays taken.
  virtual absl::Status Remove(const std::string& pod_uid) = 0;

  // Once, before anything else: adopts what lives, sweeps what has no owner (law 6).
  // FailedPrecondition: a later version has made a pod in a form that is not known here; nothing
  // is swept.
  virtual absl::StatusOr<std::vector<RecoveredPod>> Recover() = 0;
};

}  // namespace cluster::node
