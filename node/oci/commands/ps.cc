#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/status.h"
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
                            "ID [OPTION...]",
                            1,
                            64,
                            "print the processes of a container, as the host numbers them",
                            kPsFlags,
                            false,
                            false,
                            RunPs};

}  // namespace cluster::oci
