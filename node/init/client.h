// One conversation with a pod's cluster-init. Several may be open at a time, from several
// processes.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/unique_handle.h"
#include "node/init/wire.h"

namespace cluster::node {

// Descriptors to be sent along; they stay their owners'.
std::vector<int> NumbersOf(const std::vector<UniqueFd>& fds);

// How one container instance is, as its cluster-init knows it.
struct InitRecord {
  std::string name;
  int32_t attempt = 0;
  init::Phase phase = init::Phase::kStarting;
  int32_t pid = 0;
  absl::Time started_at;
  absl::Time finished_at;
  int32_t exit_code = 0;
  int32_t signal = 0;
  bool oom_killed = false;
  std::string message;
};

// What a mould (node/init/mould.h) is to become.
struct InitBecome {
  std::string uid;
  std::string hostname;
  uint32_t flags = 0;     // init::MouldFlags
  uint32_t first_id = 0;  // with kPodHasUsers
  int log = -1;
  int listener = -1;  // from Listen
  int cgroup2 = -1;   // v2 directory to be born in, or -1
  int lease = -1;     // the node's lease file, for a pod that ends with it, or -1
};

struct InitWelcome {
  pid_t pid = 0;  // 0, and no pidfd: a mould's
  UniqueFd net_namespace;
  UniqueFd pidfd;
  UniqueFd route_socket;  // NETLINK_ROUTE, of the pod's network namespace
};

struct InitStart {
  std::string plan;  // EncodeLaunchPlan
  int instance_dir = -1;
  int log_file = -1;
  int cgroup2 = -1;          // v2 directory or -1
  std::vector<int> volumes;  // detached mounts, of the plan's kVolume steps in their order
};

struct InitGo {
  int oom_file = -1;  // memory.oom_control, memory.events or -1
  std::vector<int> tasks;
};

struct InitExec {
  std::string container;
  std::vector<std::string> argv;
  bool tty = false;
  uint16_t rows = 0;
  uint16_t columns = 0;
  int stdio[3] = {-1, -1, -1};  // the command's ends; not with a tty
  int cgroup2 = -1;
  std::vector<int> tasks;
};

struct InitAttach {
  std::string container;
  int32_t attempt = 0;
  int stdin = -1;  // cluster-init's ends of pipes; -1: writes nothing
  int stdout = -1;
  int stderr = -1;
};

struct InitExecStarted {
  pid_t pid = 0;
  UniqueFd terminal;  // pty master, with a tty
};

// Not thread-safe; blocking, each call bounded by the timeout. Errors: NotFound where nobody
// listens (cluster-init is dead), Unavailable when it does not answer in time or goes away
// meanwhile, what it refuses as the code that fits its errno.
class InitClient {
 public:
  // A listening socket named `name` in directory `dir` (only root may enter that), for Become. A
  // socket of that name that is there already is replaced.
  static absl::StatusOr<UniqueFd> Listen(int dir, const std::string& name);
  static absl::StatusOr<InitClient> Connect(int dir, const std::string& name,
                                            absl::Duration timeout = absl::Seconds(10));

  // The agent's end of a template's or mould's socket.
  static absl::StatusOr<InitClient> Over(UniqueFd socket,
                                         absl::Duration timeout = absl::Seconds(10));

  // To a template: a new mould, whose end of its socket is `socket`. Returns at once.
  absl::Status Mould(uint32_t flags, uint32_t first_id, int socket);
  // Of a mould ordered with kMouldTells: its network namespace and a route socket.
  absl::StatusOr<InitWelcome> AwaitMoulded();
  // To a mould: from now on this is a conversation with a cluster-init. Returns at once.
  absl::Status Become(const InitBecome& become);

  // With the v1 `tasks` files that cluster-init itself is to enter.
  absl::StatusOr<InitWelcome> Hello(const std::vector<int>& tasks = {});
  // The two halves of it; `watch` as after Watch().
  absl::Status Greet(const std::vector<int>& tasks, bool watch);
  absl::StatusOr<InitWelcome> AwaitWelcome();
  // The process comes to be and builds its root, and waits for Go. Returns at once. Without a Go on
  // this connection the start never was.
  absl::Status Start(const InitStart& start);
  // The record once the process has exec'd, or failed to (kExited with a message); also the refusal
  // of the start.
  absl::StatusOr<InitRecord> Go(const InitGo& go);
  absl::Status Signal(const std::string& name, int32_t attempt, int signal);
  absl::StatusOr<std::vector<InitRecord>> Query();
  // Name and value, written in the pod's namespaces, in this order.
  absl::Status SetSysctls(const std::vector<std::pair<std::string, std::string>>& sysctls);
  absl::Status Shutdown();
  // Leaves a descriptor with cluster-init. AlreadyExists: one of that name is there.
  absl::Status Keep(const std::string& name, int fd);
  // NotFound: nothing of that name.
  absl::StatusOr<UniqueFd> Fetch(const std::string& name);
  // From now on a message arrives on fd() whenever something changed; end of file when cluster-init
  // is gone.
  absl::Status Watch();

  // Then this conversation is about that command alone. WaitExec has no timeout.
  absl::StatusOr<InitExecStarted> Exec(const InitExec& exec);
  absl::StatusOr<int> WaitExec();
  absl::Status KillExec();

  // Then this conversation is about that alone; WaitExec waits for the container's end, and its
  // own end detaches. Unimplemented: a cluster-init from before there was this.
  absl::Status Attach(const InitAttach& attach);
  // Of the terminal that this conversation is attached to.
  absl::Status Resize(uint16_t rows, uint16_t columns);

  // Ends the conversation for both sides; a call that waits returns Unavailable.
  void HangUp() { ::shutdown(socket_.get(), SHUT_RDWR); }
  int fd() const { return socket_.get(); }
  // Ends the use of this object.
  UniqueFd TakeSocket() { return std::move(socket_); }

 private:
  struct Reply {
    std::vector<char> bytes;
    std::vector<UniqueFd> fds;
  };
  explicit InitClient(UniqueFd socket) : socket_(std::move(socket)) {}
  absl::Status Send(const std::string& message, const std::vector<int>& fds);
  // The next message; a kRefused becomes its status, another type than `expected` is Internal.
  absl::StatusOr<Reply> Receive(init::MessageType expected);
  absl::Status SetTimeout(absl::Duration timeout);

  UniqueFd socket_;
};

}  // namespace cluster::node
