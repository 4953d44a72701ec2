#include "tests/fuzz/records/record_checks.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "node/runtime/pod_directory.h"
#include "node/session/log_line.h"

namespace cluster::node {
namespace {

std::string Shown(const std::vector<absl::string_view>& lines, LogFormatter::Options options) {
  LogFormatter formatter(options);
  std::string shown;
  for (const absl::string_view line : lines) {
    if (formatter.Full()) break;
    formatter.Add(line, &shown);
  }
  formatter.Finish(&shown);
  return shown;
}

bool Within(absl::string_view part, absl::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

std::string FindStateFlaw(absl::string_view text) {
  ContainerState state;
  ParseInstanceFile(text, &state);
  if (const auto sandbox = DecodeSandbox(text); sandbox.ok()) {
    const std::string once = EncodeSandbox(*sandbox);
    const auto again = DecodeSandbox(once);
    if (!again.ok()) return absl::StrCat("cannot read back ", once);
    if (EncodeSandbox(*again) != once) return absl::StrCat("reads otherwise: ", once);
  }
  return "";
}

std::string FindLogFlaw(absl::string_view text) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  for (const absl::string_view line : lines) {
    const auto parsed = ParseLogLine(line);
    if (!parsed) continue;
    for (const absl::string_view part : {parsed->time, parsed->stream, parsed->text}) {
      if (!Within(part, line)) return absl::StrCat("a part that is not of the line: ", part);
    }
  }
  if (Shown(lines, {}).size() > text.size()) return "more is shown than there is";
  for (const int64_t limit : {0, 1, 40}) {
    LogFormatter::Options options;
    options.limit_bytes = limit;
    options.timestamps = limit != 1;
    if (static_cast<int64_t>(Shown(lines, options).size()) > limit) {
      return absl::StrCat("more than ", limit, " bytes are shown");
    }
  }
  return "";
}

}  // namespace cluster::node
