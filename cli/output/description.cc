#include "cli/output/description.h"

#include <algorithm>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cluster::cli {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kIndent = 2;

std::string Spaces(size_t count) { return std::string(count, ' '); }

}  // namespace

void Description::Field(int level, absl::string_view key, absl::string_view value) {
  bool first = true;
  for (const absl::string_view line : absl::StrSplit(value, '\n')) {
    entries_.push_back({level, first ? absl::StrCat(key, ":") : "", OneLine(line), true});
    first = false;
  }
}

void Description::List(int level, absl::string_view key, const std::vector<std::string>& values) {
  if (values.empty()) return Field(level, key, "<none>");
  bool first = true;
  for (const std::string& value : values) {
    entries_.push_back({level, first ? absl::StrCat(key, ":") : "", OneLine(value), true});
    first = false;
  }
}

void Description::Rows(int level, const std::vector<Cells>& rows) {
  std::ostringstream out;
  Table(out, {.min_width = 0, .gap = kGap}).Print(rows);
  for (const absl::string_view line : absl::StrSplit(out.str(), '\n', absl::SkipEmpty())) {
    Line(level, line);
  }
}

void Description::Text(absl::string_view text) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) Line(0, OneLine(line));
}

void Description::Line(int level, absl::string_view text) {
  entries_.push_back({level, "", std::string(text), false});
}

std::vector<size_t> Description::ValueColumns() const {
  constexpr size_t kNone = SIZE_MAX;
  std::vector<size_t> widths;    // of each group
  std::vector<size_t> open;      // the group that is open at each level
  std::vector<size_t> group_of;  // each entry's
  for (const Entry& entry : entries_) {
    open.resize(static_cast<size_t>(entry.level) + 1, kNone);
    size_t& group = open.back();
    if (!entry.is_field) {
      group = kNone;
    } else if (group == kNone) {
      group = widths.size();
      widths.push_back(0);
    }
    if (group != kNone) widths[group] = std::max(widths[group], DisplayWidth(entry.key));
    group_of.push_back(group);
  }
  std::vector<size_t> columns;
  for (const size_t group : group_of) columns.push_back(group == kNone ? 0 : widths[group] + kGap);
  return columns;
}

std::string Description::ToString() const {
  const std::vector<size_t> columns = ValueColumns();
  std::string text;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    std::string line = Spaces(static_cast<size_t>(entry.level) * kIndent);
    if (entry.is_field && !entry.value.empty()) {
      absl::StrAppend(&line, entry.key, Spaces(columns[i] - DisplayWidth(entry.key)), entry.value);
    } else {
      absl::StrAppend(&line, entry.key, entry.value);
    }
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace cluster::cli
