// One command of the OCI runtime command line; each lives in a file of its own, the table is in
// table.cc.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "node/oci/container.h"
#include "node/oci/flags.h"
#include "node/oci/log.h"

namespace cluster::oci {

// What a command works with.
struct Call {
  Arguments arguments;  // of the command
  std::string root;
  int preserved_fds = 0;     // for commands that enter
  std::string process_text;  // what --process names
  Log* log = nullptr;
};

struct Command {
  const char* name;
  const char* arguments;  // "ID [SIGNAL]"
  size_t least;           // words beside the flags
  size_t most;
  const char* help;
  absl::Span<const Flag> flags;
  // Flags end at the first other word: what follows is a command line of its own.
  bool takes_command_line;
  // Enters containers: the program runs itself again from where nobody can overwrite it, and
  // descriptors of the caller's are closed but for those of --preserve-fds.
  bool enters;
  // The exit code.
  absl::StatusOr<int> (*run)(const Call& call);
  int exit_refused = 1;  // when run fails
};

extern const Command kCreateCommand;
extern const Command kDeleteCommand;
extern const Command kEventsCommand;
extern const Command kExecCommand;
extern const Command kFeaturesCommand;
extern const Command kKillCommand;
extern const Command kListCommand;
extern const Command kPauseCommand;
extern const Command kPsCommand;
extern const Command kResumeCommand;
extern const Command kRunCommand;
extern const Command kSpecCommand;
extern const Command kStartCommand;
extern const Command kStateCommand;
extern const Command kUpdateCommand;

// All of them, by name.
absl::Span<const Command* const> Commands();
const Command* FindCommand(absl::string_view name);

// Writes `text` to standard output.
absl::Status Print(absl::string_view text);
// A file, or standard input when the path is "-".
absl::StatusOr<std::string> ReadInput(const std::string& path);
// ResourceExhausted: more than anybody would write by hand. `what` is named by errors.
absl::StatusOr<std::string> ReadToEnd(int fd, const std::string& what);

inline absl::StatusOr<Container> OpenContainer(const Call& call, Container::Locking locking) {
  return Container::Open(call.root, call.arguments.rest()[0], locking);
}

}  // namespace cluster::oci
