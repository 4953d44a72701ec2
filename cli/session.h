// One run of clusterctl: what it is connected to, its global flags, and the command that was
// chosen.
//
// A command is one file that registers a subcommand and its action:
//   void AddVersion(CLI::App& app, Session& session) {
//     CLI::App* command = AddCommand(app, "version", "Prints ...", "clusterctl version");
//     session.OnCommand(command, [&session] { return PrintVersion(session); });
//   }
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/client.h"

#include "base/clock.h"

namespace cluster::cli {

// Exit codes, as promised to scripts.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// Wrong usage found after parsing: exit code 2.
absl::Status UsageError(absl::string_view message);
// The same failure, with exit code 2.
absl::Status AsUsageError(absl::Status status);
bool IsUsageError(const absl::Status& status);

// InvalidArgument whose lines begin with FILE:LINE:COL: printed bare, as compilers do, so that
// editors can jump there.
absl::Status PositionedError(absl::string_view message);

// What the program reads from and writes to. Owned by main (or a test), outlives the session.
struct Terminal {
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  // Standard input; read by `apply -f -` and `exec -i`.
  int input = 0;
  // Colours and progress only where these hold.
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

struct GlobalFlags {
  std::string context;
  std::string server;
  // Empty: none given; see Session::name_space().
  std::string name_space;
  absl::Duration request_timeout = absl::Seconds(30);
};

// Returns the exit code; a Status is printed on stderr and becomes 1 (2 for a UsageError).
using Action = std::function<absl::StatusOr<int>()>;

// For the actions that only succeed or fail.
inline absl::StatusOr<int> ExitCode(const absl::Status& status) {
  if (!status.ok()) return status;
  return kDone;
}

class Session {
 public:
  Session(Terminal terminal, const Clock* clock, std::string contexts_path);

  std::ostream& out() { return *terminal_.out; }
  std::ostream& err() { return *terminal_.err; }
  const Terminal& terminal() const { return terminal_; }
  absl::Time Now() const { return clock_->Now(); }
  const std::string& contexts_path() const { return contexts_path_; }
  GlobalFlags& flags() { return flags_; }
  // Of -n, else "default".
  std::string name_space() const;

  // The controller that --server, --context, CLUSTERCTL_CONTEXT or the current context names.
  // FailedPrecondition when none does. The client belongs to the session.
  absl::StatusOr<Client*> Connect();

  // Everything after the first bare "--" on the command line.
  const std::vector<std::string>& trailing() const { return trailing_; }

  // What to do when `command` was the one given. Words after "--" are wrong usage unless taken.
  // The action may return absl::Status or absl::StatusOr<int>.
  template <typename Function>
  void OnCommand(CLI::App* command, Function action, bool takes_trailing = false) {
    command->callback([this, action = std::move(action), takes_trailing] {
      takes_trailing_ = takes_trailing;
      if constexpr (std::is_same_v<std::invoke_result_t<Function>, absl::Status>) {
        action_ = [action] { return ExitCode(action()); };
      } else {
        action_ = action;
      }
    });
  }

  // Parses and runs; prints errors. Returns the exit code.
  int Run(CLI::App& app, std::vector<std::string> arguments);

 private:
  int Finish(const absl::StatusOr<int>& result);

  const Terminal terminal_;
  const Clock* const clock_;
  const std::string contexts_path_;
  GlobalFlags flags_;
  std::vector<std::string> trailing_;
  Action action_;
  bool takes_trailing_ = false;
  std::unique_ptr<Client> client_;
};

// A subcommand with the house's settings: global flags may stand anywhere, examples close its help.
CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& examples);

// A flag that takes a Go duration (1h30m, 250ms; a bare 0 too).
CLI::Option* AddDurationOption(CLI::App& app, const std::string& name, absl::Duration& value,
                               const std::string& description);

}  // namespace cluster::cli
