#include "node/oci/start.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/cgroup/device_program.h"
#include "node/init/sys.h"
#include "node/init/text.h"
#include "node/oci/container.h"
#include "node/oci/exec.h"
#include "node/oci/hooks.h"
#include "node/oci/seccomp.h"
#include "node/oci/terminal.h"

namespace cluster::oci {
namespace {

// Denied first, whatever the parent group allows: then what config.json says, then what every
// container may use.
Resources WithDefaultDevices(Resources resources) {
  resources.devices.insert(resources.devices.begin(), DeviceRule{false, 'a', -1, -1, "rwm"});
  for (DeviceRule& rule : DefaultDeviceRules()) resources.devices.push_back(std::move(rule));
  return resources;
}

std::string Owner() {
  const passwd* account = ::getuid() == 0 ? nullptr : ::getpwuid(::getuid());
  return account == nullptr ? "root" : account->pw_name;
}

std::string Now() {
  char time[init::kTimestampSize + 1];
  init::FormatTimestamp(init::RealtimeNanoseconds(), time);
  return time;
}

absl::StatusOr<UniqueFd> ListenForStart(const ContainerDirectory& directory) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus("socket");
  const std::string path = directory.StartSocketPath();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 1) != 0) {
    return ErrnoStatus("listen on", path);
  }
  return socket;
}

std::vector<std::string> V2Controllers(const std::vector<GroupWrite>& writes) {
  std::vector<std::string> controllers;
  for (const GroupWrite& write : writes) {
    if (write.v2 && !write.controller.empty()) controllers.push_back(write.controller);
  }
  return controllers;
}

}  // namespace

ContainerStart::ContainerStart(StartOptions options, Log* log)
    : options_(std::move(options)), log_(log) {}

ContainerStart::~ContainerStart() = default;

absl::Status ContainerStart::Load() {
  RETURN_IF_ERROR(CheckId(options_.id));
  ASSIGN_OR_RETURN(bundle_, LoadBundle(options_.bundle, options_.config));
  for (const std::string& warning : bundle_.config.warnings) {
    log_->Warn(absl::StrCat("config.json: ", warning));
  }
  if (bundle_.config.linux_.seccomp) {
    ASSIGN_OR_RETURN(
        seccomp_,
        CompileSeccomp(*bundle_.config.linux_.seccomp,
                       bundle_.config.process->capabilities.value_or(Capabilities()).bounding));
  }
  ASSIGN_OR_RETURN(layout_, node::DiscoverCgroups());
  const Resources resources = WithDefaultDevices(bundle_.config.linux_.resources);
  ASSIGN_OR_RETURN(writes_, PlanResources(layout_, resources));
  devices_ = PlanDeviceProgram(layout_, resources.devices);
  return absl::OkStatus();
}

// Recorded before made.
absl::Status ContainerStart::Record() {
  auto directory = ContainerDirectory::Create(options_.root, options_.id);
  RETURN_IF_ERROR(directory.status());
  directory_ = std::make_unique<ContainerDirectory>(*std::move(directory));
  undo_.Push([this] { (void)directory_->Remove(); });
  state_.version = bundle_.config.version;
  state_.id = options_.id;
  ASSIGN_OR_RETURN(state_.boot_id, BootId());
  state_.created = Now();
  state_.bundle = bundle_.path;
  state_.rootfs = bundle_.rootfs;
  state_.annotations = bundle_.config.annotations;
  state_.cgroup = GroupPathOf(bundle_.config.linux_.cgroups_path, options_.id);
  state_.owner = Owner();
  state_.own_pid_namespace = bundle_.config.linux_.HasNew(CLONE_NEWPID);
  RETURN_IF_ERROR(directory_->WriteState(state_));
  return directory_->WriteConfig(bundle_.config_text);
}

absl::Status ContainerStart::Clone(bool starts_by_socket) {
  group_ = std::make_unique<Group>(&layout_, state_.cgroup);
  undo_.Push([this] { group_->TakeBack(); });
  RETURN_IF_ERROR(group_->MakeUnified(V2Controllers(writes_)));
  ASSIGN_OR_RETURN(sources_, OpenSources(bundle_));
  const Linux& wanted = bundle_.config.linux_;
  ASSIGN_OR_RETURN(const NamespacePlan plan, PlanNamespaces(wanted, layout_.v1.empty()));
  ASSIGN_OR_RETURN(auto channel, Channel::MakePair());
  ChildInputs child{&bundle_,
                    &sources_,
                    &layout_,
                    &seccomp_,
                    options_.id,
                    state_.cgroup,
                    plan.late_cgroup,
                    {},
                    {},
                    {},
                    options_.preserved_fds,
                    options_.no_pivot,
                    options_.new_keyring};
  child.channel = std::move(channel.second);
  if (starts_by_socket) {
    ASSIGN_OR_RETURN(child.start_socket, ListenForStart(*directory_));
  }
  if (!options_.console_socket.empty()) {
    ASSIGN_OR_RETURN(child.console, ConnectConsole(options_.console_socket));
  }
  ASSIGN_OR_RETURN(process_, CloneInto(plan, group_->unified_fd(), [&] {
                     channel.first.Close();
                     // With the directory its lock.
                     directory_.reset();
                     group_.reset();
                     RunChild(&child);
                   }));
  channel_ = std::move(channel.first);
  undo_.Push([this] { DestroyContainer(); });
  return absl::OkStatus();
}

// A process that has gone told why before it went: whoever receives next hears it.
absl::Status ContainerStart::Tell(Packet kind, absl::string_view text,
                                  const std::vector<int>& fds) {
  const absl::Status sent = channel_.Send(kind, text, fds);
  return absl::IsUnavailable(sent) ? absl::OkStatus() : sent;
}

// Everything that the process cannot do for itself.
absl::Status ContainerStart::Equip() {
  const Linux& wanted = bundle_.config.linux_;
  if (wanted.HasNew(CLONE_NEWUSER)) {
    RETURN_IF_ERROR(Annotate(
        WriteIdMappings(process_.pid, wanted.uid_mappings, wanted.gid_mappings), "id mappings"));
    RETURN_IF_ERROR(Tell(Packet::kMapped));
  }
  RETURN_IF_ERROR(group_->MakeRest());
  RETURN_IF_ERROR(group_->Apply(writes_));
  if (devices_) {
    RETURN_IF_ERROR(Annotate(node::DevicePrograms().Attach(group_->unified_fd(), *devices_),
                             "linux.resources.devices"));
  }
  ASSIGN_OR_RETURN(const std::vector<UniqueFd> tasks, group_->OpenTasks());
  std::vector<int> fds;
  for (const UniqueFd& fd : tasks) fds.push_back(fd.get());
  RETURN_IF_ERROR(Tell(Packet::kCgroups, "", fds));
  state_.pid = process_.pid;
  state_.start_time = StartTimeOf(process_.pid);
  return directory_->WriteState(state_);
}

absl::Status ContainerStart::RunOuterHooks() {
  const Hooks& hooks = bundle_.config.hooks;
  const std::string state = StateForPeople(state_, Status::kCreating);
  RETURN_IF_ERROR(RunHooks("prestart", hooks.prestart, state));
  RETURN_IF_ERROR(RunHooks("createRuntime", hooks.create_runtime, state));
  return Tell(Packet::kHooksDone, state);
}

absl::Status ContainerStart::Answer(const Message& message) {
  switch (message.kind) {
    case Packet::kReady:
      return RunOuterHooks();
    case Packet::kLimits:
      RETURN_IF_ERROR(SetRlimits(bundle_.config.process->rlimits, process_.pid));
      return Tell(Packet::kLimited);
    case Packet::kTerminal:
      if (message.fds.empty()) return absl::InternalError("the terminal did not come along");
      terminal_.reset(::fcntl(message.fds[0].get(), F_DUPFD_CLOEXEC, 3));
      return absl::OkStatus();
    case Packet::kNotify:
      return HandOverListener(seccomp_, process_.pidfd.get(), message.text,
                              StateForPeople(state_, Status::kRunning), process_.pid);
    case Packet::kFailed:
      return absl::AbortedError(message.text);
    case Packet::kEnd:
    case Packet::kCreated:
    case Packet::kMapped:
    case Packet::kCgroups:
    case Packet::kHooksDone:
    case Packet::kLimited:
    case Packet::kStart:
    case Packet::kPid:
      break;
  }
  return absl::InternalError("unexpected packet from the container's process");
}

// Serves the process until it says `until`.
absl::Status ContainerStart::Attend(Packet until) {
  for (;;) {
    ASSIGN_OR_RETURN(const Message message, channel_.Receive());
    if (message.kind == until) return absl::OkStatus();
    if (message.kind == Packet::kEnd) {
      return absl::AbortedError("the container's process was killed before it was ready");
    }
    RETURN_IF_ERROR(Answer(message));
  }
}

absl::Status ContainerStart::CheckTerminal(bool has_foreground) const {
  const bool terminal = bundle_.config.process->terminal;
  if (terminal && options_.console_socket.empty() && !has_foreground) {
    return absl::InvalidArgumentError("process.terminal needs --console-socket");
  }
  if (!terminal && !options_.console_socket.empty()) {
    return absl::InvalidArgumentError("--console-socket is for process.terminal: true");
  }
  return absl::OkStatus();
}

void ContainerStart::DestroyContainer() {
  init::PidfdSendSignal(process_.pidfd.get(), SIGKILL);
  siginfo_t ended{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process_.pidfd.get()), &ended, WEXITED | __WALL) !=
             0 &&
         errno == EINTR) {
  }
  if (!group_->Kill().ok() || !group_->AwaitEmpty(kGroupEndTime).ok()) {
    log_->Warn(absl::StrCat("cgroup ", group_->path(), " still has processes"));
  }
  const absl::Status hooks = RunHooks("poststop", bundle_.config.hooks.poststop,
                                      StateForPeople(state_, Status::kStopped), /*all=*/true);
  if (!hooks.ok()) log_->Warn(hooks.message());
}

absl::Status ContainerStart::Create() {
  RETURN_IF_ERROR(Load());
  RETURN_IF_ERROR(CheckTerminal(false));
  RETURN_IF_ERROR(Record());
  RETURN_IF_ERROR(Clone(true));
  RETURN_IF_ERROR(Equip());
  RETURN_IF_ERROR(Attend(Packet::kCreated));
  RETURN_IF_ERROR(WritePidFile(options_.pid_file, process_.pid));
  undo_.Commit();
  return absl::OkStatus();
}

absl::StatusOr<int> ContainerStart::Run(bool detach, bool keep) {
  RETURN_IF_ERROR(Load());
  RETURN_IF_ERROR(CheckTerminal(!detach));
  RETURN_IF_ERROR(Record());
  UniqueFd signals;
  if (!detach) {
    ASSIGN_OR_RETURN(signals, CatchSignals());
  }
  RETURN_IF_ERROR(Clone(false));
  RETURN_IF_ERROR(Equip());
  RETURN_IF_ERROR(Attend(Packet::kCreated));
  RETURN_IF_ERROR(WritePidFile(options_.pid_file, process_.pid));
  RETURN_IF_ERROR(Tell(Packet::kStart, StateForPeople(state_, Status::kCreated)));
  RETURN_IF_ERROR(Attend(Packet::kEnd));
  const Hooks& hooks = bundle_.config.hooks;
  const absl::Status started =
      RunHooks("poststart", hooks.poststart, StateForPeople(state_, Status::kRunning));
  RETURN_IF_ERROR(started);
  undo_.Commit();
  if (detach) return 0;
  ASSIGN_OR_RETURN(const int code,
                   Supervise(process_.pidfd.get(), signals.get(), std::move(terminal_)));
  if (keep) return code;
  RETURN_IF_ERROR(EndContainer(group_.get(), &bundle_.config, state_, directory_.get(), log_));
  return code;
}

}  // namespace cluster::oci
