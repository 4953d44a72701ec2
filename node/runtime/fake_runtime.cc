#include "node/runtime/fake_runtime.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

constexpr int kSignalExit = 128;

}  // namespace

// `cat`: what comes in goes out, until the end of input.
class EchoProcess : public ExecProcess {
 public:
  static absl::StatusOr<std::unique_ptr<ExecProcess>> Start(FakeMachine* machine, int exit_code,
                                                            bool reads_input) {
    int in[2];
    int out[2];
    int err[2];
    if (::pipe2(in, O_CLOEXEC) != 0) return ErrnoStatus("pipe");
    auto process = std::unique_ptr<EchoProcess>(new EchoProcess(machine, exit_code));
    process->child_in_.reset(in[0]);
    process->stdin_fd.reset(in[1]);
    if (::pipe2(out, O_CLOEXEC) != 0) return ErrnoStatus("pipe");
    process->stdout_fd.reset(out[0]);
    process->child_out_.reset(out[1]);
    if (::pipe2(err, O_CLOEXEC) != 0) return ErrnoStatus("pipe");
    process->stderr_fd.reset(err[0]);
    ::close(err[1]);
    for (const int fd : {in[1], out[0], err[0]}) {
      if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return ErrnoStatus("fcntl");
    }
    EchoProcess* const raw = process.get();
    machine->CountExec(1);
    raw->thread_ = std::thread([raw, reads_input] { raw->Run(reads_input); });
    return std::unique_ptr<ExecProcess>(std::move(process));
  }
  ~EchoProcess() override {
    stdin_fd.reset();
    stdout_fd.reset();
    Kill();
    if (thread_.joinable()) thread_.join();
  }
  absl::Status Resize(TerminalSize) override { return absl::OkStatus(); }
  absl::StatusOr<int> Wait() override {
    thread_.join();
    return exit_code_.load();
  }
  int end_fd() const override { return ended_.get(); }
  void Kill() override {
    exit_code_ = kSignalExit + SIGKILL;
    const uint64_t one = 1;
    (void)!::write(killed_.get(), &one, sizeof one);
  }

 private:
  EchoProcess(FakeMachine* machine, int exit_code)
      : machine_(machine),
        exit_code_(exit_code),
        killed_(::eventfd(0, EFD_CLOEXEC)),
        ended_(::eventfd(0, EFD_CLOEXEC)) {}
  void Run(bool reads_input) {
    char buffer[4096];
    while (reads_input) {
      pollfd ready[2] = {{child_in_.get(), POLLIN, 0}, {killed_.get(), POLLIN, 0}};
      if (::poll(ready, 2, -1) < 0 || ready[1].revents != 0) break;
      const ssize_t got = ::read(child_in_.get(), buffer, sizeof buffer);
      if (got <= 0) break;
      if (!WriteAll(child_out_.get(), absl::string_view(buffer, static_cast<size_t>(got))).ok()) {
        break;
      }
    }
    child_out_.reset();
    child_in_.reset();
    machine_->CountExec(-1);
    const uint64_t one = 1;
    (void)!::write(ended_.get(), &one, sizeof one);
  }

  FakeMachine* const machine_;
  std::atomic<int> exit_code_;
  UniqueFd killed_;
  UniqueFd ended_;
  UniqueFd child_in_;
  UniqueFd child_out_;
  std::thread thread_;
};

FakeMachine::FakeMachine(const Clock* clock, std::string log_directory)
    : clock_(clock), log_directory_(std::move(log_directory)) {}

absl::Status FakeMachine::Enter(const std::string& verb, const std::string& uid,
                                const std::string& what) {
  std::function<absl::Status(const std::string&, const std::string&)> fault;
  {
    MutexLock lock(&mutex_);
    verbs_.push_back(absl::StrCat(verb, " ", uid, what));
    fault = fault_;
  }
  return fault ? fault(verb, uid) : absl::OkStatus();
}

void FakeMachine::Notify(const std::string& uid) {
  std::function<void(const std::string&)> listener;
  {
    MutexLock lock(&mutex_);
    listener = listener_;
  }
  if (listener) listener(uid);
}

bool FakeMachine::End(const std::string& uid, const std::string& container, int code, int signal,
                      bool oom) {
  {
    MutexLock lock(&mutex_);
    const auto pod = pods_.find(uid);
    if (pod == pods_.end()) return false;
    const auto found = pod->second.containers.find(container);
    if (found == pod->second.containers.end()) return false;
    ContainerState& state = found->second.state;
    if (state.phase != ContainerPhase::kRunning) return false;
    state.phase = ContainerPhase::kExited;
    state.exit_code = signal != 0 ? kSignalExit + signal : code;
    state.signal = signal;
    state.oom_killed = oom;
    state.finished_at = clock_->Now();
    state.pid = 0;
  }
  Notify(uid);
  return true;
}

bool FakeMachine::Exit(const std::string& pod_uid, const std::string& container, int code) {
  return End(pod_uid, container, code, 0, false);
}

bool FakeMachine::OomKill(const std::string& pod_uid, const std::string& container) {
  return End(pod_uid, container, 0, SIGKILL, true);
}

void FakeMachine::SetLastWords(const std::string& pod_uid, const std::string& container,
                               const std::string& words) {
  MutexLock lock(&mutex_);
  pods_[pod_uid].containers[container].state.termination_message = words;
}

void FakeMachine::LoseSandbox(const std::string& pod_uid) {
  {
    MutexLock lock(&mutex_);
    const auto pod = pods_.find(pod_uid);
    if (pod == pods_.end()) return;
    pod->second.alive = false;
    for (auto& [name, instance] : pod->second.containers) {
      if (instance.state.phase == ContainerPhase::kRunning) {
        instance.state.phase = ContainerPhase::kUnknown;
      }
    }
  }
  Notify(pod_uid);
}

void FakeMachine::PowerCycle() {
  std::vector<std::string> uids = pods();
  for (const std::string& uid : uids) LoseSandbox(uid);
}

void FakeMachine::UseMemory(const std::string& pod_uid, const std::string& container,
                            int64_t bytes) {
  MutexLock lock(&mutex_);
  pods_[pod_uid].containers[container].memory_in_use = bytes;
}

std::string FakeMachine::LogPath(const std::string& uid, const std::string& container,
                                 int attempt) const {
  return absl::StrCat(log_directory_, "/", uid, "/", container, "/", attempt, ".log");
}

absl::Status FakeMachine::WriteLog(const std::string& pod_uid, const std::string& container,
                                   const std::string& line) {
  int attempt = 0;
  {
    MutexLock lock(&mutex_);
    attempt = pods_[pod_uid].containers[container].state.attempt;
  }
  const std::string path = LogPath(pod_uid, container, attempt);
  RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path()));
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND));
  return WriteAll(fd.get(), absl::StrCat(absl::FormatTime(absl::RFC3339_full, clock_->Now(),
                                                          absl::UTCTimeZone()),
                                         " stdout F ", line, "\n"));
}

void FakeMachine::SetFault(
    std::function<absl::Status(const std::string& verb, const std::string& uid)> fault) {
  MutexLock lock(&mutex_);
  fault_ = std::move(fault);
}

void FakeMachine::IgnoreSignals(bool ignore) {
  MutexLock lock(&mutex_);
  ignore_signals_ = ignore;
}

FakeMachine::Counts FakeMachine::counts() const {
  MutexLock lock(&mutex_);
  return counts_;
}

std::vector<std::string> FakeMachine::verbs() const {
  MutexLock lock(&mutex_);
  return verbs_;
}

void FakeMachine::CountExec(int change) {
  MutexLock lock(&mutex_);
  running_execs_ += change;
  exec_changed_.SignalAll();
}

int FakeMachine::running_execs() const {
  MutexLock lock(&mutex_);
  return running_execs_;
}

ExecSpec FakeMachine::LastExec(const std::string& pod_uid) const {
  MutexLock lock(&mutex_);
  const auto found = execs_.find(pod_uid);
  return found == execs_.end() ? ExecSpec() : found->second;
}

void FakeMachine::AwaitExec() {
  MutexLock lock(&mutex_);
  while (running_execs_ == 0) exec_changed_.Wait(&mutex_);
}

std::vector<std::string> FakeMachine::pods() const {
  MutexLock lock(&mutex_);
  std::vector<std::string> uids;
  for (const auto& [uid, pod] : pods_) uids.push_back(uid);
  return uids;
}

ContainerSpec FakeMachine::LastSpec(const std::string& pod_uid,
                                    const std::string& container) const {
  MutexLock lock(&mutex_);
  const auto pod = pods_.find(pod_uid);
  if (pod == pods_.end()) return {};
  const auto found = pod->second.containers.find(container);
  return found == pod->second.containers.end() ? ContainerSpec() : found->second.spec;
}

SandboxSpec FakeMachine::LastSandboxSpec(const std::string& pod_uid) const {
  MutexLock lock(&mutex_);
  const auto pod = pods_.find(pod_uid);
  return pod == pods_.end() ? SandboxSpec() : pod->second.spec;
}

std::map<std::string, VolumeSpec> FakeMachine::Volumes(const std::string& pod_uid) const {
  MutexLock lock(&mutex_);
  const auto pod = pods_.find(pod_uid);
  return pod == pods_.end() ? std::map<std::string, VolumeSpec>() : pod->second.volumes;
}

std::set<std::string> FakeMachine::claims() const {
  MutexLock lock(&mutex_);
  return claims_;
}

FakeRuntime::~FakeRuntime() { SetListener(nullptr); }

void FakeRuntime::SetListener(std::function<void(const std::string& pod_uid)> listener) {
  MutexLock lock(&machine_->mutex_);
  machine_->listener_ = std::move(listener);
}

absl::StatusOr<SandboxState> FakeRuntime::PrepareSandbox(const SandboxSpec& spec) {
  RETURN_IF_ERROR(machine_->Enter("PrepareSandbox", spec.uid, ""));
  MutexLock lock(&machine_->mutex_);
  const auto found = machine_->pods_.find(spec.uid);
  if (found != machine_->pods_.end() && found->second.alive) return found->second.sandbox;
  FakeMachine::FakePod& pod = machine_->pods_[spec.uid];
  pod.alive = true;
  pod.spec = spec;
  pod.sandbox.uid = spec.uid;
  pod.sandbox.ip = absl::StrCat("10.64.0.", machine_->next_address_++);
  pod.sandbox.made_ns = ++machine_->counts_.sandboxes_made;
  return pod.sandbox;
}

absl::StatusOr<ContainerState> FakeRuntime::StartContainer(const ContainerSpec& spec) {
  RETURN_IF_ERROR(machine_->Enter("StartContainer", spec.pod_uid,
                                  absl::StrCat("/", spec.name, "/", spec.attempt)));
  MutexLock lock(&machine_->mutex_);
  const auto pod = machine_->pods_.find(spec.pod_uid);
  if (pod == machine_->pods_.end() || !pod->second.alive) {
    return absl::UnavailableError(absl::StrCat("pod ", spec.pod_uid, " has no sandbox"));
  }
  FakeMachine::Instance& instance = pod->second.containers[spec.name];
  const bool known = !instance.spec.name.empty() && instance.spec.attempt >= spec.attempt;
  if (known) return instance.state;
  instance.spec = spec;
  for (const VolumeSpec& volume : spec.pod_volumes) {
    pod->second.volumes[volume.name] = volume;
    if (volume.kind == VolumeKind::kClaim) machine_->claims_.insert(volume.source);
  }
  instance.state = ContainerState();
  instance.state.name = spec.name;
  instance.state.attempt = spec.attempt;
  instance.state.started_at = machine_->clock_->Now();
  if (!spec.argv.empty() && spec.argv[0] == "/absent") {
    instance.state.phase = ContainerPhase::kExited;
    instance.state.exit_code = 127;
    instance.state.finished_at = instance.state.started_at;
    instance.state.message = "exec /absent: ENOENT";
    return instance.state;
  }
  instance.state.pid = machine_->next_pid_++;
  ++machine_->counts_.started;
  return instance.state;
}

absl::Status FakeRuntime::UpdateVolumes(const std::string& pod_uid,
                                        const std::vector<VolumeSpec>& volumes) {
  RETURN_IF_ERROR(machine_->Enter("UpdateVolumes", pod_uid, ""));
  MutexLock lock(&machine_->mutex_);
  const auto pod = machine_->pods_.find(pod_uid);
  if (pod == machine_->pods_.end() || !pod->second.alive) {
    return absl::NotFoundError(absl::StrCat("pod ", pod_uid, " has no sandbox"));
  }
  for (const VolumeSpec& volume : volumes) {
    if (volume.kind == VolumeKind::kFiles) pod->second.volumes[volume.name] = volume;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FakeRuntime::ListClaims() {
  MutexLock lock(&machine_->mutex_);
  return std::vector<std::string>(machine_->claims_.begin(), machine_->claims_.end());
}

absl::Status FakeRuntime::RemoveClaim(const std::string& name) {
  RETURN_IF_ERROR(machine_->Enter("RemoveClaim", name, ""));
  MutexLock lock(&machine_->mutex_);
  machine_->claims_.erase(name);
  return absl::OkStatus();
}

absl::Status FakeRuntime::Signal(const ContainerId& id, int signal) {
  RETURN_IF_ERROR(machine_->Enter("Signal", id.pod_uid, absl::StrCat("/", id.name, "/", signal)));
  bool ignored = false;
  {
    MutexLock lock(&machine_->mutex_);
    ++machine_->counts_.signals;
    ignored = machine_->ignore_signals_;
  }
  if (!ignored) machine_->End(id.pod_uid, id.name, 0, signal, false);
  return absl::OkStatus();
}

absl::Status FakeRuntime::Kill(const ContainerId& id) {
  RETURN_IF_ERROR(machine_->Enter("Kill", id.pod_uid, absl::StrCat("/", id.name)));
  {
    MutexLock lock(&machine_->mutex_);
    ++machine_->counts_.kills;
  }
  machine_->End(id.pod_uid, id.name, 0, SIGKILL, false);
  return absl::OkStatus();
}

absl::Status FakeRuntime::Resize(const ResizeSpec& spec) {
  RETURN_IF_ERROR(machine_->Enter("Resize", spec.pod_uid, ""));
  MutexLock lock(&machine_->mutex_);
  const auto pod = machine_->pods_.find(spec.pod_uid);
  if (pod == machine_->pods_.end()) {
    return absl::NotFoundError(absl::StrCat("pod ", spec.pod_uid, " has no sandbox"));
  }
  for (const ResizeSpec::Container& container : spec.containers) {
    const int64_t limit = container.resources.memory_limit;
    if (limit == 0 || pod->second.containers[container.name].memory_in_use <= limit) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container.name, " uses more memory than its new limit"));
  }
  pod->second.spec.resources = spec.pod;
  for (const ResizeSpec::Container& container : spec.containers) {
    FakeMachine::Instance& instance = pod->second.containers[container.name];
    if (instance.spec.attempt == container.attempt) instance.spec.resources = container.resources;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ContainerState>> FakeRuntime::Poll(const std::string& pod_uid) {
  MutexLock lock(&machine_->mutex_);
  const auto pod = machine_->pods_.find(pod_uid);
  if (pod == machine_->pods_.end()) {
    return absl::NotFoundError(absl::StrCat("pod ", pod_uid, " has no sandbox"));
  }
  std::vector<ContainerState> states;
  for (const auto& [name, instance] : pod->second.containers) states.push_back(instance.state);
  return states;
}

absl::StatusOr<std::unique_ptr<ExecProcess>> FakeRuntime::Exec(const ExecSpec& spec) {
  RETURN_IF_ERROR(machine_->Enter("Exec", spec.pod_uid, absl::StrCat("/", spec.container)));
  int code = 0;
  if (spec.argv.size() == 2 && spec.argv[0] == "exit" && !absl::SimpleAtoi(spec.argv[1], &code)) {
    return absl::InvalidArgumentError(absl::StrCat("exit ", spec.argv[1], ": not a number"));
  }
  {
    MutexLock lock(&machine_->mutex_);
    machine_->execs_[spec.pod_uid] = spec;
  }
  return EchoProcess::Start(machine_, code, spec.argv[0] != "exit");
}

absl::StatusOr<std::unique_ptr<ExecProcess>> FakeRuntime::Attach(const AttachSpec& spec) {
  RETURN_IF_ERROR(machine_->Enter("Attach", spec.pod_uid, absl::StrCat("/", spec.container)));
  return EchoProcess::Start(machine_, 0, spec.stdin);
}

absl::StatusOr<PodConnection> FakeRuntime::Dial(const std::string& pod_uid, uint16_t port) {
  RETURN_IF_ERROR(machine_->Enter("Dial", pod_uid, absl::StrCat("/", port)));
  {
    MutexLock lock(&machine_->mutex_);
    const auto pod = machine_->pods_.find(pod_uid);
    if (pod == machine_->pods_.end() || !pod->second.alive) {
      return absl::NotFoundError(absl::StrCat("no sandbox ", pod_uid));
    }
  }
  PodConnection connection;
  ASSIGN_OR_RETURN(connection.socket, DialLoopback(port));
  connection.pod_end.reset(::eventfd(0, EFD_CLOEXEC));
  return connection;
}

std::string FakeRuntime::LogDirectory(const std::string& pod_uid, const std::string& container) {
  return absl::StrCat(machine_->log_directory_, "/", pod_uid, "/", container);
}

absl::Status FakeRuntime::Release(const std::string& pod_uid) {
  RETURN_IF_ERROR(machine_->Enter("Release", pod_uid, ""));
  MutexLock lock(&machine_->mutex_);
  const auto pod = machine_->pods_.find(pod_uid);
  if (pod == machine_->pods_.end()) return absl::OkStatus();
  pod->second.alive = false;
  pod->second.volumes.clear();
  return absl::OkStatus();
}

absl::Status FakeRuntime::Remove(const std::string& pod_uid) {
  RETURN_IF_ERROR(machine_->Enter("Remove", pod_uid, ""));
  MutexLock lock(&machine_->mutex_);
  machine_->counts_.removed += static_cast<int>(machine_->pods_.erase(pod_uid));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RecoveredPod>> FakeRuntime::Recover() {
  MutexLock lock(&machine_->mutex_);
  std::vector<RecoveredPod> found;
  for (const auto& [uid, pod] : machine_->pods_) {
    RecoveredPod recovered;
    recovered.spec = pod.spec;
    recovered.sandbox = pod.sandbox;
    recovered.alive = pod.alive;
    for (const auto& [name, instance] : pod.containers) {
      recovered.containers.push_back(instance.state);
    }
    found.push_back(std::move(recovered));
  }
  return found;
}

}  // namespace cluster::node
