// cluster-oci: the node's runtime behind the command line of an OCI runtime, for podman,
// containerd, docker and the test suites of other runtimes.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "base/status.h"
#include "node/oci/commands/command.h"
#include "node/oci/exec.h"

namespace cluster::oci {
namespace {

constexpr int kExitRefused = 1;  // by what is not a command
constexpr int kExitUsage = 2;
constexpr char kVersion[] = "0.1.0";
constexpr char kDefaultRoot[] = "/run/cluster-oci";
constexpr char kOwnProgram[] = "/proc/self/exe";

constexpr Flag kGlobalFlags[] = {
    {"root", 0, Flag::kValue, "DIR", "where containers are recorded; default: /run/cluster-oci"},
    {"log", 0, Flag::kValue, "FILE", "where to log; default: standard error"},
    {"log-format", 0, Flag::kValue, "text|json", "how to log; default: text"},
    {"debug", 0, Flag::kSwitch, nullptr, "log more"},
    {"systemd-cgroup", 0, Flag::kSwitch, nullptr, "refused: cgroups are made without systemd"},
    {"cgroup-manager", 0, Flag::kValue, "cgroupfs", "accepted: there is no other"},
    {"rootless", 0, Flag::kValue, "auto|false", "accepted: this runtime wants root"},
    {"help", 'h', Flag::kSwitch, nullptr, "print this"},
    {"version", 'v', Flag::kSwitch, nullptr, "print the version"}};

std::string HelpText() {
  std::string text =
      "cluster-oci [FLAG...] COMMAND [FLAG...] [ARGUMENT...]\n\n"
      "An OCI runtime: containers out of bundles. For example:\n"
      "  cluster-oci run --bundle /var/lib/bundles/web web\n\nCommands:\n";
  for (const Command* command : Commands()) {
    std::string left = absl::StrCat("  ", command->name, " ", command->arguments);
    left.append(left.size() < 32 ? 32 - left.size() : 1, ' ');
    absl::StrAppend(&text, left, command->help, "\n");
  }
  return absl::StrCat(text, "\nFlags:\n", DescribeFlags(kGlobalFlags));
}

std::string HelpText(const Command& command) {
  return absl::StrCat("cluster-oci ", command.name, " [FLAG...] ", command.arguments, "\n\n",
                      command.help, "\n\nFlags:\n", DescribeFlags(command.flags));
}

std::string VersionText() {
  return absl::StrCat("cluster-oci version ", kVersion, "\nspec: ", kSpecVersion, "\n");
}

// The program as seen from inside of a container must be of no use to it (CVE-2019-5736): it runs
// from a detached read-only mount that no process can make writable again, and nobody may look into
// it.
absl::Status RunFromReadOnlyMount(char** argv) {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoStatus("clear", "dumpable");
  struct statfs fs {};
  if (::statfs(kOwnProgram, &fs) != 0) return ErrnoStatus("statfs", kOwnProgram);
  if ((fs.f_flags & ST_RDONLY) != 0) return absl::OkStatus();
  const UniqueFd program(::open_tree(AT_FDCWD, kOwnProgram, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!program) return ErrnoStatus("open_tree", kOwnProgram);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (::mount_setattr(program.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    return ErrnoStatus("make a read-only mount of", kOwnProgram);
  }
  ::syscall(SYS_execveat, program.get(), "", argv, environ, AT_EMPTY_PATH);
  return ErrnoStatus("execute", kOwnProgram);
}

absl::Status SetUp(const Arguments& globals, Call* call, Log* log) {
  const std::string format = globals.Text("log-format", "text");
  if (format != "text" && format != "json") {
    return absl::InvalidArgumentError(absl::StrCat("--log-format '", format, "': is text or json"));
  }
  RETURN_IF_ERROR(log->Open(globals.Text("log"), format == "json", globals.Has("debug")));
  if (globals.Has("systemd-cgroup") || globals.Text("cgroup-manager", "cgroupfs") == "systemd") {
    return absl::InvalidArgumentError(
        "--systemd-cgroup is not supported: use the cgroupfs driver of your container manager");
  }
  call->root = globals.Text("root", kDefaultRoot);
  call->log = log;
  return absl::OkStatus();
}

absl::Status Claim(Call* call) {
  // A shell's <(...) is a descriptor that is about to be closed.
  if (call->arguments.Has("process")) {
    ASSIGN_OR_RETURN(call->process_text, ReadInput(call->arguments.Text("process")));
  }
  ASSIGN_OR_RETURN(const int64_t preserved, call->arguments.Number("preserve-fds", 0));
  ASSIGN_OR_RETURN(call->preserved_fds, ClaimFds(preserved));
  return absl::OkStatus();
}

int Usage(absl::string_view why, absl::string_view what) {
  (void)WriteAll(2, absl::StrCat("cluster-oci: ", why, "\nsee: cluster-oci ", what, " --help\n"));
  return kExitUsage;
}

int RunCommand(const Command& command, const Arguments& globals,
               const std::vector<std::string>& words) {
  // A command line of its own begins behind the ID.
  auto arguments = ParseArguments(command.flags, words, command.takes_command_line);
  if (!arguments.ok()) return Usage(arguments.status().message(), command.name);
  if (arguments->rest().size() < command.least || arguments->rest().size() > command.most) {
    return Usage(absl::StrCat(command.name, " takes: ", command.arguments), command.name);
  }
  Log log;
  Call call;
  call.arguments = *std::move(arguments);
  const absl::StatusOr<int> code = [&]() -> absl::StatusOr<int> {
    // Before the log or anything else is opened.
    const absl::Status claimed = command.enters ? Claim(&call) : absl::OkStatus();
    RETURN_IF_ERROR(SetUp(globals, &call, &log));
    RETURN_IF_ERROR(claimed);
    log.Debug(absl::StrCat(command.name, " ", absl::StrJoin(words, " ")));
    return command.run(call);
  }();
  if (code.ok()) return *code;
  log.Error(code.status().message());
  return command.exit_refused;
}

int Main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  size_t used = 0;
  const auto globals = ParseArguments(kGlobalFlags, words, true, &used);
  if (!globals.ok()) return Usage(globals.status().message(), "");
  if (globals->Has("version")) return Print(VersionText()).ok() ? 0 : kExitRefused;
  if (globals->Has("help") || globals->rest().empty()) {
    return Print(HelpText()).ok() && globals->Has("help") ? 0 : kExitUsage;
  }
  const std::string name = globals->rest()[0];
  const Command* command = FindCommand(name);
  if (command == nullptr) return Usage(absl::StrCat("there is no command ", name), "");
  const std::vector<std::string> rest(globals->rest().begin() + 1, globals->rest().end());
  if (!rest.empty() && (rest[0] == "--help" || rest[0] == "-h")) {
    return Print(HelpText(*command)).ok() ? 0 : kExitRefused;
  }
  if (command->enters) {
    if (const absl::Status moved = RunFromReadOnlyMount(argv); !moved.ok()) {
      (void)WriteAll(2, absl::StrCat("cluster-oci: ", moved.message(), "\n"));
      return kExitRefused;
    }
    ::prctl(PR_SET_NAME, "cluster-oci", 0, 0, 0);
  }
  return RunCommand(*command, *globals, rest);
}

}  // namespace
}  // namespace cluster::oci

int main(int argc, char** argv) { return cluster::oci::Main(argc, argv); }
