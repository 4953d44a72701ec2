#include "node/runtime/blockers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/file.h"

namespace cluster::node {
namespace {

constexpr size_t kMostNamed = 3;

// The value behind "Key:" in the lines of a status file.
std::string FieldOf(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, key) && absl::ConsumePrefix(&line, ":")) {
      return std::string(absl::StripAsciiWhitespace(line));
    }
  }
  return "";
}

// "[<0>] request_wait_answer+0x13d/0x210 [fuse]" -> "request_wait_answer"
std::string InnermostFunction(const ProcessFiles& files) {
  absl::string_view line = files.stack;
  line = line.substr(0, line.find('\n'));
  const size_t end_of_address = line.find("] ");
  if (end_of_address != absl::string_view::npos) {
    line.remove_prefix(end_of_address + 2);
    return std::string(line.substr(0, line.find_first_of("+ ")));
  }
  return files.wchan == "0" ? "" : files.wchan;
}

absl::string_view StateText(char state) {
  switch (state) {
    case 'D':
      return "in uninterruptible sleep";
    case 'Z':
      return "a zombie";
    case 'T':
      return "stopped";
    case 't':
      return "stopped by its tracer";
    case 'R':
      return "running";
    default:
      return "asleep";
  }
}

// The path of the v1 freezer group that holds it frozen; empty: none does.
std::string FrozenBy(int pid, const CgroupLayout& layout) {
  const V1Hierarchy* freezer = layout.V1Of("freezer");
  if (freezer == nullptr) return "";
  const std::string groups = ReadFile(absl::StrCat("/proc/", pid, "/cgroup")).value_or("");
  for (const absl::string_view line : absl::StrSplit(groups, '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || fields[1] != "freezer") continue;
    const std::string state =
        ReadFile(absl::StrCat(freezer->mount_point, fields[2], "/freezer.state")).value_or("");
    return absl::StartsWith(state, "FR") ? fields[2] : "";
  }
  return "";
}

std::string Describe(int pid, const CgroupLayout& layout) {
  const std::string directory = absl::StrCat("/proc/", pid);
  ProcessFiles files;
  files.status = ReadFile(directory + "/status").value_or("");
  if (files.status.empty()) return "";
  files.stack = ReadFile(directory + "/stack").value_or("");
  files.wchan = ReadFile(directory + "/wchan").value_or("");
  const std::string text = DescribeBlocker(pid, files);
  const std::string frozen = FrozenBy(pid, layout);
  return frozen.empty() ? text : absl::StrCat(text, ", frozen by the freezer of ", frozen);
}

}  // namespace

std::string DescribeBlocker(int pid, const ProcessFiles& files) {
  const std::string state = FieldOf(files.status, "State");
  std::string text = absl::StrCat("pid ", pid, " (", FieldOf(files.status, "Name"), ") is ",
                                  StateText(state.empty() ? '?' : state[0]));
  const std::string function = InnermostFunction(files);
  if (!function.empty()) absl::StrAppend(&text, " in ", function);
  const std::string tracer = FieldOf(files.status, "TracerPid");
  if (!tracer.empty() && tracer != "0") absl::StrAppend(&text, ", traced by pid ", tracer);
  return text;
}

std::string DescribeBlockers(const std::vector<int>& pids, const CgroupLayout& layout) {
  std::vector<std::string> texts;
  size_t unnamed = 0;
  for (const int pid : pids) {
    if (texts.size() == kMostNamed) {
      ++unnamed;
      continue;
    }
    std::string text = Describe(pid, layout);
    if (!text.empty()) texts.push_back(std::move(text));
  }
  if (unnamed > 0) texts.push_back(absl::StrCat("and ", unnamed, " more"));
  return absl::StrJoin(texts, "; ");
}

}  // namespace cluster::node
