// KernelRuntime's verbs that pass streams on: commands in containers, and containers themselves.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/netlink.h"
#include "base/status.h"
#include "node/runtime/dial.h"
#include "node/runtime/kernel_runtime.h"

namespace cluster::node {
namespace {

// The agent's and the command's end of one stream.
struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus("pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The agent's ends alone; those of the others block as they expect.
absl::Status Unblock(const ExecProcess& process) {
  for (const UniqueFd* fd : {&process.stdin_fd, &process.stdout_fd, &process.stderr_fd}) {
    if (fd->valid() && fcntl(fd->get(), F_SETFL, fcntl(fd->get(), F_GETFL) | O_NONBLOCK) != 0) {
      return ErrnoStatus("fcntl", "stdio");
    }
  }
  return absl::OkStatus();
}

// How long what was killed may take to be gone before its group is left to the container's end.
constexpr absl::Duration kNestPatience = absl::Seconds(1);

// A command's group of its own, if it has one: gone when it is empty, at the latest once whatever
// was killed in there has ended.
class OwnGroup {
 public:
  // `cgroups` and `sweeper` outlive it.
  OwnGroup(std::optional<CgroupGroup> group, CgroupTree* cgroups, Strand* sweeper)
      : group_(group.has_value() ? std::make_shared<CgroupGroup>(*std::move(group)) : nullptr),
        cgroups_(cgroups),
        sweeper_(sweeper) {}
  OwnGroup(OwnGroup&&) = default;
  OwnGroup& operator=(OwnGroup&&) = delete;
  ~OwnGroup() {
    if (group_ == nullptr || cgroups_->RemoveNest(*group_).ok() || may_stay_) return;
    sweeper_->Post([group = group_, cgroups = cgroups_] {
      absl::Status removed = group->AwaitEmpty(kNestPatience);
      if (removed.ok()) removed = cgroups->RemoveNest(*group);
      if (!removed.ok()) LOG_WARN("{}: {}", group->path(), std::string(removed.message()));
    });
  }

  const CgroupGroup* get() const { return group_.get(); }
  // What the command leaves behind on purpose stays until its container ends.
  void LetStay() { may_stay_ = true; }
  absl::Status Kill() {
    may_stay_ = false;
    return group_ == nullptr ? absl::OkStatus() : group_->Kill();
  }

 private:
  std::shared_ptr<CgroupGroup> group_;
  CgroupTree* const cgroups_;
  Strand* const sweeper_;
  bool may_stay_ = false;
};

class KernelExec : public ExecProcess {
 public:
  KernelExec(InitClient client, OwnGroup group)
      : client_(std::move(client)), group_(std::move(group)) {
    group_.LetStay();
  }

  absl::Status Resize(TerminalSize size) override {
    winsize window{};
    window.ws_row = size.rows;
    window.ws_col = size.columns;
    if (ioctl(stdout_fd.get(), TIOCSWINSZ, &window) != 0) return ErrnoStatus("resize", "terminal");
    return absl::OkStatus();
  }
  absl::StatusOr<int> Wait() override { return client_.WaitExec(); }
  int end_fd() const override { return client_.fd(); }
  void Kill() override {
    const absl::Status ended = group_.Kill();
    if (!ended.ok()) LOG_WARN("kill of a command: {}", std::string(ended.message()));
    const absl::Status sent = client_.KillExec();
    // Then cluster-init is gone, and the command with it.
    if (!sent.ok()) LOG_DEBUG("kill of a command: {}", std::string(sent.message()));
  }

 private:
  InitClient client_;  // sending and receiving do not touch each other
  OwnGroup group_;
};

// Where a command belongs: the container's groups, but for the one in which it has its own.
absl::StatusOr<std::vector<UniqueFd>> TasksOf(const CgroupGroup& container,
                                              const CgroupGroup* nest) {
  ASSIGN_OR_RETURN(std::vector<UniqueFd> tasks, container.OpenTasks());
  if (nest == nullptr || nest->unified_fd() >= 0) return tasks;
  // Entered last, so that it wins over the container's group of the same hierarchy.
  ASSIGN_OR_RETURN(std::vector<UniqueFd> own, nest->OpenTasks());
  for (UniqueFd& fd : own) tasks.push_back(std::move(fd));
  return tasks;
}

class KernelAttachment : public ExecProcess {
 public:
  explicit KernelAttachment(InitClient client) : client_(std::move(client)) {}

  absl::Status Resize(TerminalSize size) override {
    return client_.Resize(size.rows, size.columns);
  }
  absl::StatusOr<int> Wait() override { return client_.WaitExec(); }
  int end_fd() const override { return client_.fd(); }
  void Kill() override { client_.HangUp(); }

 private:
  InitClient client_;  // sending and receiving do not touch each other
};

absl::StatusOr<InitRecord> RunningIn(InitClient& init, const std::string& container) {
  ASSIGN_OR_RETURN(const std::vector<InitRecord> records, init.Query());
  const auto running =
      std::find_if(records.begin(), records.end(), [&container](const InitRecord& record) {
        return record.name == container && record.phase == init::Phase::kRunning;
      });
  if (running != records.end()) return *running;
  return absl::FailedPreconditionError(absl::StrCat("container ", container, " is not running"));
}

}  // namespace

absl::StatusOr<InitClient> KernelRuntime::ConnectTo(const std::string& uid,
                                                    const std::string& container) const {
  RETURN_IF_ERROR(CheckName("pod uid", uid));
  RETURN_IF_ERROR(CheckName("container name", container));
  auto connected = Connect(uid);
  if (!connected.ok()) return Annotate(connected.status(), absl::StrCat("pod ", uid));
  return connected;
}

absl::StatusOr<std::unique_ptr<ExecProcess>> KernelRuntime::Exec(const ExecSpec& spec) {
  ASSIGN_OR_RETURN(InitClient init, ConnectTo(spec.pod_uid, spec.container));
  ASSIGN_OR_RETURN(const InitRecord running, RunningIn(init, spec.container));
  const std::string leaf = absl::StrCat(running.name, "-", running.attempt);
  ASSIGN_OR_RETURN(CgroupGroup group, options_.cgroups->FindLeaf(spec.pod_uid, leaf));
  std::optional<CgroupGroup> nest;
  if (!spec.group.empty()) {
    ASSIGN_OR_RETURN(nest, options_.cgroups->MakeNest(spec.pod_uid, leaf, spec.group));
  }
  OwnGroup own(std::move(nest), options_.cgroups, &sweeper_);
  ASSIGN_OR_RETURN(std::vector<UniqueFd> tasks, TasksOf(group, own.get()));
  ASSIGN_OR_RETURN(Pipe in, MakePipe());
  ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ASSIGN_OR_RETURN(Pipe err, MakePipe());
  InitExec request;
  request.container = spec.container;
  request.argv = spec.argv;
  request.tty = spec.tty;
  request.rows = spec.size.rows;
  request.columns = spec.size.columns;
  request.stdio[0] = spec.stdin ? in.read.get() : null_.get();
  request.stdio[1] = out.write.get();
  request.stdio[2] = err.write.get();
  request.cgroup2 = own.get() != nullptr ? own.get()->unified_fd() : group.unified_fd();
  request.tasks = NumbersOf(tasks);
  auto started = init.Exec(request);
  if (!started.ok()) return started.status();
  auto process = std::make_unique<KernelExec>(std::move(init), std::move(own));
  if (spec.tty) {
    process->stdout_fd = std::move(started->terminal);
  } else {
    if (spec.stdin) process->stdin_fd = std::move(in.write);
    process->stdout_fd = std::move(out.read);
    process->stderr_fd = std::move(err.read);
  }
  const absl::Status unblocked = Unblock(*process);
  if (!unblocked.ok()) {
    process->Kill();
    return unblocked;
  }
  return process;
}

absl::StatusOr<std::unique_ptr<ExecProcess>> KernelRuntime::Attach(const AttachSpec& spec) {
  ASSIGN_OR_RETURN(InitClient init, ConnectTo(spec.pod_uid, spec.container));
  ASSIGN_OR_RETURN(const InitRecord running, RunningIn(init, spec.container));
  ASSIGN_OR_RETURN(Pipe in, MakePipe());
  ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ASSIGN_OR_RETURN(Pipe err, MakePipe());
  InitAttach request;
  request.container = running.name;
  request.attempt = running.attempt;
  if (spec.stdin) request.stdin = in.read.get();
  request.stdout = out.write.get();
  request.stderr = err.write.get();
  RETURN_IF_ERROR(init.Attach(request));
  if (spec.size.rows != 0) RETURN_IF_ERROR(init.Resize(spec.size.rows, spec.size.columns));
  auto process = std::make_unique<KernelAttachment>(std::move(init));
  if (spec.stdin) process->stdin_fd = std::move(in.write);
  process->stdout_fd = std::move(out.read);
  process->stderr_fd = std::move(err.read);
  RETURN_IF_ERROR(Unblock(*process));
  return process;
}

// cluster-init is in the pod's network, and its end is the pod's.
absl::StatusOr<PodConnection> KernelRuntime::Dial(const std::string& pod_uid, uint16_t port) {
  RETURN_IF_ERROR(CheckName("pod uid", pod_uid));
  absl::StatusOr<InitClient> init = Connect(pod_uid);
  if (!init.ok()) return Annotate(init.status(), absl::StrCat("pod ", pod_uid));
  ASSIGN_OR_RETURN(InitWelcome welcome, init->Hello());
  PodConnection connection;
  RETURN_IF_ERROR(netlink::RunInNetns(welcome.net_namespace.get(), [&]() -> absl::Status {
    ASSIGN_OR_RETURN(connection.socket, DialLoopback(port));
    return absl::OkStatus();
  }));
  connection.pod_end = std::move(welcome.pidfd);
  return connection;
}

}  // namespace cluster::node
