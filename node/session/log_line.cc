#include "node/session/log_line.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

std::optional<absl::string_view> TakeWord(absl::string_view* rest) {
  const size_t space = rest->find(' ');
  if (space == absl::string_view::npos || space == 0) return std::nullopt;
  const absl::string_view word = rest->substr(0, space);
  rest->remove_prefix(space + 1);
  return word;
}

}  // namespace

std::optional<LogLine> ParseLogLine(absl::string_view line) {
  const auto time = TakeWord(&line);
  if (!time) return std::nullopt;
  const auto stream = TakeWord(&line);
  if (!stream || (*stream != "stdout" && *stream != "stderr")) return std::nullopt;
  // An empty line may end right after its tag.
  if (line.empty() || (line[0] != 'F' && line[0] != 'P')) return std::nullopt;
  if (line.size() > 1 && line[1] != ' ') return std::nullopt;
  LogLine parsed;
  parsed.time = *time;
  parsed.stream = *stream;
  parsed.partial = line[0] == 'P';
  parsed.text = line.size() > 2 ? line.substr(2) : absl::string_view();
  return parsed;
}

void LogFormatter::Give(absl::string_view text, std::string* out) {
  const auto bytes = std::min<int64_t>(left_, static_cast<int64_t>(text.size()));
  out->append(text.data(), static_cast<size_t>(bytes));
  left_ -= bytes;
}

void LogFormatter::Begin(const LogLine& line, Held* held) const {
  if (options_.timestamps && held->text.empty() && !held->flowing) {
    absl::StrAppend(&held->text, line.time, " ");
  }
}

void LogFormatter::Add(absl::string_view line, std::string* out) {
  const std::optional<LogLine> parsed = ParseLogLine(line);
  if (!parsed || Full()) return;
  if (options_.since != absl::InfinitePast()) {
    absl::Time time;
    std::string error;
    const bool readable = absl::ParseTime(absl::RFC3339_full, parsed->time, &time, &error);
    if (readable && time < options_.since) return;
  }
  Held& held = held_[std::string(parsed->stream)];
  Begin(*parsed, &held);
  absl::StrAppend(&held.text, parsed->text, parsed->partial ? "" : "\n");
  if (parsed->partial && held.text.size() < kMaxHeldBytes) return;
  Give(held.text, out);
  held.text.clear();
  held.flowing = parsed->partial;
}

void LogFormatter::Finish(std::string* out) {
  for (auto& [stream, held] : held_) {
    Give(held.text, out);
    held.text.clear();
  }
}

}  // namespace cluster::node
