#include "node/oci/exec_process.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/process/user_lookup.h"

namespace cluster::oci {
namespace {

constexpr Flag kExecFlags[] = {
    {"process", 'p', Flag::kValue, "FILE", "the process as JSON, like that of config.json"},
    {"tty", 't', Flag::kSwitch, nullptr, "with a terminal"},
    {"console-socket", 0, Flag::kValue, "PATH", "unix socket that receives the terminal"},
    {"cwd", 0, Flag::kValue, "DIR", "working directory in the container"},
    {"env", 'e', Flag::kList, "NAME=VALUE", "an environment variable more"},
    {"user", 'u', Flag::kValue, "UID[:GID]", "who runs it"},
    {"additional-gids", 'g', Flag::kList, "GID", "a group more"},
    {"cap", 'c', Flag::kList, "CAP", "a capability more"},
    {"no-new-privs", 0, Flag::kSwitch, nullptr, "set-user-id programs gain it nothing"},
    {"process-label", 0, Flag::kValue, "LABEL", "SELinux label"},
    {"apparmor", 0, Flag::kValue, "PROFILE", "AppArmor profile"},
    {"detach", 'd', Flag::kSwitch, nullptr, "return as soon as it runs"},
    {"pid-file", 0, Flag::kValue, "PATH", "where to write its pid"},
    {"preserve-fds", 0, Flag::kValue, "N", "hand descriptors 3 to 2+N on"},
    {"cgroup", 0, Flag::kList, "[CONTROLLERS:]PATH", "a cgroup below the container's own"},
    {"ignore-paused", 0, Flag::kSwitch, nullptr, "also in a paused container"}};

absl::StatusOr<uint32_t> ParseId(const char* flag, absl::string_view text) {
  uint32_t id = 0;
  if (init::ParseUserId(text.data(), text.size(), &id)) return id;
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " '", text, "': must be a number from 0 to 4294967294"));
}

absl::Status AddCapabilities(const std::vector<std::string>& names, Process* process) {
  if (names.empty()) return absl::OkStatus();
  Capabilities sets = process->capabilities.value_or(Capabilities());
  for (const std::string& name : names) {
    const int number = CapabilityNumber(name);
    // A newer kernel's, or nobody's: as in config.json, the process does without.
    if (number < 0) continue;
    const uint64_t bit = uint64_t{1} << number;
    sets.bounding |= bit;
    sets.effective |= bit;
    sets.permitted |= bit;
    // Inheritable stays as it is: what the program executes next must not get it from a file.
  }
  process->capabilities = sets;
  return absl::OkStatus();
}

}  // namespace

absl::Span<const Flag> ExecFlags() { return kExecFlags; }

absl::StatusOr<User> ParseExecUser(const std::string& text, const User& base) {
  User user = base;
  const size_t colon = text.find(':');
  ASSIGN_OR_RETURN(user.uid, ParseId("--user", absl::string_view(text).substr(0, colon)));
  if (colon == std::string::npos) return user;
  ASSIGN_OR_RETURN(user.gid, ParseId("--user", absl::string_view(text).substr(colon + 1)));
  return user;
}

absl::StatusOr<Process> ExecProcessOf(const Arguments& flags,
                                      const std::vector<std::string>& command,
                                      const Process& base) {
  if (command.empty()) return absl::InvalidArgumentError("which program to run is missing");
  Process process = base;
  process.args = command;
  process.terminal = flags.Has("tty");
  process.console_size.reset();
  process.cwd = flags.Text("cwd", base.cwd);
  if (!absl::StartsWith(process.cwd, "/")) {
    return absl::InvalidArgumentError(absl::StrCat("--cwd ", process.cwd, ": must be absolute"));
  }
  for (const std::string& variable : flags.Texts("env")) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    if (name.size() < 2) {
      return absl::InvalidArgumentError(absl::StrCat("--env ", variable, ": must be NAME=VALUE"));
    }
    std::erase_if(process.env,
                  [&name](const std::string& other) { return absl::StartsWith(other, name); });
    process.env.push_back(variable);
  }
  if (flags.Has("user")) {
    ASSIGN_OR_RETURN(process.user, ParseExecUser(flags.Text("user"), base.user));
  }
  for (const std::string& gid : flags.Texts("additional-gids")) {
    ASSIGN_OR_RETURN(const uint32_t number, ParseId("--additional-gids", gid));
    process.user.additional_gids.push_back(number);
  }
  RETURN_IF_ERROR(AddCapabilities(flags.Texts("cap"), &process));
  if (flags.Has("no-new-privs")) process.no_new_privileges = true;
  if (flags.Has("apparmor")) process.apparmor_profile = flags.Text("apparmor");
  if (flags.Has("process-label")) process.selinux_label = flags.Text("process-label");
  return process;
}

}  // namespace cluster::oci
