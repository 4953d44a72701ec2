#include "cli/session.h"

#include <stdlib.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/context.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

constexpr char kUsagePayload[] = "cluster.cli.usage";
constexpr char kPositionsPayload[] = "cluster.cli.positions";

// kubectl takes -o=json as -o json; CLI11 would keep the equals sign.
std::string WithoutShortEquals(std::string argument) {
  if (argument.size() > 2 && argument[0] == '-' && absl::ascii_isalpha(argument[1]) &&
      argument[2] == '=') {
    argument.erase(2, 1);
  }
  return argument;
}

// " rollout undo": the commands that were recognized on the line.
std::string ChosenCommand(const CLI::App& app) {
  std::string path;
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    absl::StrAppend(&path, " ", command->get_name());
  }
  return path;
}

absl::Status NoSuchContext(const std::string& name, const Contexts& contexts) {
  std::vector<std::string> names;
  for (const auto& entry : contexts.contexts) names.push_back(entry.first);
  return absl::NotFoundError(
      absl::StrCat("there is no context \"", name, "\"; ",
                   names.empty() ? "none is known: clusterctl local up makes one"
                                 : absl::StrCat("known are: ", absl::StrJoin(names, ", "))));
}

}  // namespace

absl::Status UsageError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

absl::Status AsUsageError(absl::Status status) {
  status.SetPayload(kUsagePayload, absl::Cord());
  return status;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kUsagePayload).has_value();
}

absl::Status PositionedError(absl::string_view message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kPositionsPayload, absl::Cord());
  return status;
}

Session::Session(Terminal terminal, const Clock* clock, std::string contexts_path)
    : terminal_(terminal), clock_(clock), contexts_path_(std::move(contexts_path)) {}

std::string Session::name_space() const {
  return flags_.name_space.empty() ? "default" : flags_.name_space;
}

absl::StatusOr<Client*> Session::Connect() {
  if (client_ != nullptr) return client_.get();
  std::string server = flags_.server;
  if (server.empty()) {
    ASSIGN_OR_RETURN(const Contexts contexts, LoadContexts(contexts_path_));
    std::string name = flags_.context.empty() ? contexts.current : flags_.context;
    if (name.empty()) {
      return absl::FailedPreconditionError(
          "no cluster is chosen: start one with clusterctl local up, or give --context NAME or "
          "--server unix:PATH|HOST:PORT");
    }
    const auto found = contexts.contexts.find(name);
    if (found == contexts.contexts.end()) return NoSuchContext(name, contexts);
    server = found->second.server;
  }
  client_ = std::make_unique<Client>(server, flags_.request_timeout);
  return client_.get();
}

int Session::Run(CLI::App& app, std::vector<std::string> arguments) {
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (dashes != arguments.end()) {
    trailing_.assign(dashes + 1, arguments.end());
    arguments.erase(dashes, arguments.end());
  }
  std::transform(arguments.begin(), arguments.end(), arguments.begin(), WithoutShortEquals);
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::Success& done) {
    app.exit(done, out(), err());
    return kDone;
  } catch (const CLI::ParseError& error) {
    err() << "error: " << error.what() << "; see clusterctl" << ChosenCommand(app) << " --help\n";
    return kUsage;
  }
  if (!action_) {
    out() << app.help();
    return kDone;
  }
  if (!trailing_.empty() && !takes_trailing_) {
    return Finish(UsageError("this command takes nothing after --"));
  }
  return Finish(action_());
}

int Session::Finish(const absl::StatusOr<int>& result) {
  out().flush();
  if (result.ok()) return *result;
  const absl::Status& status = result.status();
  const bool positioned = status.GetPayload(kPositionsPayload).has_value();
  err() << (positioned ? "" : "error: ") << status.message() << "\n";
  return IsUsageError(status) ? kUsage : kFailed;
}

CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& examples) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->fallthrough();
  std::string footer = examples.empty() ? "" : "Examples:\n";
  for (absl::string_view line : absl::StrSplit(examples, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&footer, "  ", line, "\n");
  }
  absl::StrAppend(&footer, "\nFlags that every command takes: clusterctl --help");
  command->footer(footer);
  return command;
}

CLI::Option* AddDurationOption(CLI::App& app, const std::string& name, absl::Duration& value,
                               const std::string& description) {
  return app.add_option_function<std::string>(
      name,
      [&value, name](const std::string& text) {
        if (absl::ParseDuration(text, &value)) return;
        throw CLI::ValidationError(name, "\"" + text + "\" is not a duration such as 90s or 1h30m");
      },
      description);
}

}  // namespace cluster::cli
