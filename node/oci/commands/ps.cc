#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/status.h"
#include "base/unique_handle.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

constexpr Flag kPsFlags[] = {
    {"format", 'f', Flag::kValue, "table|json", "how to print them; default: table"}};

// The command line, or the name in brackets where there is none.
std::string CommandLine(int pid) {
  std::string text = ReadFile(absl::StrCat("/proc/", pid, "/cmdline")).value_or("");
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (!text.empty()) return text;
  const std::string name = ReadFile(absl::StrCat("/proc/", pid, "/comm")).value_or("");
  return absl::StrCat("[", name.substr(0, name.find('\n')), "]");
}

// The number behind "NAME:" in /proc/PID/status.
std::string StatusField(absl::string_view status, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(status, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(":\t "), absl::SkipEmpty());
    if (words.size() > 1 && words[0] == name) return std::string(words[1]);
  }
  return "-";
}

// The header, and the lines of these processes. InvalidArgument: no column of pids.
absl::StatusOr<std::string> LinesOf(const std::string& text, const std::vector<int>& pids) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  const auto words = [](absl::string_view line) {
    return std::vector<absl::string_view>(absl::StrSplit(line, ' ', absl::SkipEmpty()));
  };
  const auto header = lines.empty() ? std::vector<absl::string_view>() : words(lines[0]);
  const auto column = std::find(header.begin(), header.end(), "PID") - header.begin();
  if (column == static_cast<ptrdiff_t>(header.size())) {
    return absl::InvalidArgumentError("ps prints no column PID with these options");
  }
  std::string kept = absl::StrCat(lines[0], "\n");
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto parts = words(lines[i]);
    int pid = 0;
    if (static_cast<size_t>(column) >= parts.size() ||
        !absl::SimpleAtoi(parts[static_cast<size_t>(column)], &pid) ||
        !std::binary_search(pids.begin(), pids.end(), pid)) {
      continue;
    }
    absl::StrAppend(&kept, lines[i], "\n");
  }
  return kept;
}

// What the machine's own ps prints for `options`, of these processes alone. NotFound: there is no
// ps.
absl::StatusOr<std::string> AskPs(std::vector<std::string> options, const std::vector<int>& pids) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus("pipe");
  UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  options.insert(options.begin(), "ps");
  std::vector<char*> argv;
  for (std::string& option : options) argv.push_back(option.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.get(), 1);
  pid_t ps = 0;
  const int error = ::posix_spawnp(&ps, "ps", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(error, "run", "ps");
  in.reset();
  auto text = ReadToEnd(out.get(), "what ps prints");
  int ended = 0;
  while (::waitpid(ps, &ended, 0) < 0 && errno == EINTR) {
  }
  RETURN_IF_ERROR(text.status());
  if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(absl::StrJoin(options, " "), " failed; what it says is above"));
  }
  return LinesOf(*text, pids);
}

absl::StatusOr<int> RunPs(const Call& call) {
  const std::string format = call.arguments.Text("format", "table");
  if (format != "table" && format != "json") {
    return absl::InvalidArgumentError(absl::StrCat("--format '", format, "': is table or json"));
  }
  ASSIGN_OR_RETURN(const Container container, OpenContainer(call, Container::Locking::kNone));
  ASSIGN_OR_RETURN(const std::vector<int> pids, container.group().Processes());
  if (format == "json") {
    RETURN_IF_ERROR(Print(absl::StrCat(nlohmann::json(pids).dump(), "\n")));
    return 0;
  }
  const auto& words = call.arguments.rest();
  const bool asks = words.size() > 1;
  const auto printed = AskPs(asks ? std::vector<std::string>(words.begin() + 1, words.end())
                                  : std::vector<std::string>{"-ef"},
                             pids);
  // A machine without one still has an answer.
  if (!absl::IsNotFound(printed.status()) || asks) {
    RETURN_IF_ERROR(printed.status());
    RETURN_IF_ERROR(Print(*printed));
    return 0;
  }
  std::string text = "UID         PID    PPID  CMD\n";
  for (const int pid : pids) {
    const auto status = ReadFile(absl::StrCat("/proc/", pid, "/status"));
    if (!status.ok()) continue;  // ended meanwhile
    std::string line = StatusField(*status, "Uid");
    const auto column = [&line](const std::string& word, size_t end) {
      line.append(std::max<size_t>(
                      1, end > line.size() + word.size() ? end - line.size() - word.size() : 1),
                  ' ');
      line += word;
    };
    column(absl::StrCat(pid), 15);
    column(StatusField(*status, "PPid"), 23);
    absl::StrAppend(&text, line, "  ", CommandLine(pid), "\n");
  }
  RETURN_IF_ERROR(Print(text));
  return 0;
}

}  // namespace

const Command kPsCommand = {"ps",
                            "ID [OPTION OF ps(1)...]",
                            1,
                            64,
                            "print the processes of a container, as the host numbers them",
                            kPsFlags,
                            true,
                            false,
                            RunPs};

}  // namespace cluster::oci
