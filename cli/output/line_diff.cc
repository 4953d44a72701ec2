#include "cli/output/line_diff.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cluster::cli {
namespace {

using Lines = std::vector<absl::string_view>;

constexpr int kContext = 3;
// Edits that are looked for; beyond, the rest counts as replaced.
constexpr int kMostEdits = 2000;

struct Edit {
  char sign;  // ' ', '-' or '+'
  absl::string_view line;
};

Lines SplitLines(absl::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (text.empty()) return {};
  return absl::StrSplit(text, '\n');
}

// Walks back through the furthest points of every round, kept in `trace`.
std::vector<Edit> Backtrack(const Lines& before, const Lines& after,
                            const std::vector<std::vector<int>>& trace) {
  std::vector<Edit> edits;
  int x = static_cast<int>(before.size());
  int y = static_cast<int>(after.size());
  for (int d = static_cast<int>(trace.size()) - 1; d >= 0; --d) {
    const std::vector<int>& furthest = trace[static_cast<size_t>(d)];
    const auto at = [&furthest, d](int k) { return furthest[static_cast<size_t>(k + d + 1)]; };
    const int k = x - y;
    const bool down = k == -d || (k != d && at(k - 1) < at(k + 1));
    const int from_k = down ? k + 1 : k - 1;
    const int from_x = d == 0 ? 0 : at(from_k);
    const int from_y = d == 0 ? 0 : from_x - from_k;
    while (x > from_x && y > from_y) {
      edits.push_back({' ', before[static_cast<size_t>(--x)]});
      --y;
    }
    if (d == 0) break;
    if (down) {
      edits.push_back({'+', after[static_cast<size_t>(--y)]});
    } else {
      edits.push_back({'-', before[static_cast<size_t>(--x)]});
    }
  }
  std::reverse(edits.begin(), edits.end());
  return edits;
}

std::vector<Edit> Replaced(const Lines& before, const Lines& after) {
  std::vector<Edit> edits;
  for (const absl::string_view line : before) edits.push_back({'-', line});
  for (const absl::string_view line : after) edits.push_back({'+', line});
  return edits;
}

// The shortest sequence of edits that makes `after` of `before`.
std::vector<Edit> ShortestEdits(const Lines& before, const Lines& after) {
  const int n = static_cast<int>(before.size());
  const int m = static_cast<int>(after.size());
  // Round d knows diagonals -d-1..d+1, the outer two as they were; index k + d + 1.
  std::vector<std::vector<int>> trace;
  std::vector<int> previous;  // of round d - 1, index k + d
  for (int d = 0; d <= std::min(n + m, kMostEdits); ++d) {
    const auto was = [&previous, d](int k) {
      const int index = k + d;
      return index < 0 || index >= static_cast<int>(previous.size())
                 ? 0
                 : previous[static_cast<size_t>(index)];
    };
    // What Backtrack looks at: the points that this round started from.
    std::vector<int> from(static_cast<size_t>(2 * d + 3));
    for (int k = -d - 1; k <= d + 1; ++k) from[static_cast<size_t>(k + d + 1)] = was(k);
    std::vector<int> furthest(from.size());
    trace.push_back(std::move(from));
    for (int k = -d; k <= d; k += 2) {
      int x = 0;
      if (d > 0) x = k == -d || (k != d && was(k - 1) < was(k + 1)) ? was(k + 1) : was(k - 1) + 1;
      int y = x - k;
      while (x < n && y < m && before[static_cast<size_t>(x)] == after[static_cast<size_t>(y)]) {
        ++x;
        ++y;
      }
      furthest[static_cast<size_t>(k + d + 1)] = x;
      if (x >= n && y >= m) return Backtrack(before, after, trace);
    }
    previous = std::move(furthest);
  }
  return Replaced(before, after);
}

// "-3,4": where a hunk's lines of one side begin and how many they are.
std::string Range(char sign, int first, int count) {
  return absl::StrCat(std::string(1, sign), count == 0 ? first : first + 1, ",", count);
}

std::string Hunks(const std::vector<Edit>& edits) {
  std::string text;
  const size_t end = edits.size();
  int before = 0;
  int after = 0;
  const auto pass = [&](const Edit& edit) {
    before += edit.sign != '+' ? 1 : 0;
    after += edit.sign != '-' ? 1 : 0;
  };
  for (size_t i = 0; i < end;) {
    size_t change = i;
    while (change < end && edits[change].sign == ' ') ++change;
    if (change == end) break;
    const size_t first = std::max(i, change < kContext ? 0 : change - kContext);
    for (; i < first; ++i) pass(edits[i]);
    const int before_first = before;
    const int after_first = after;
    // Changes that are close together share a hunk.
    size_t last = change + 1;
    for (size_t j = last; j < end && j < last + 2 * kContext + 1; ++j) {
      if (edits[j].sign != ' ') last = j + 1;
    }
    last = std::min(end, last + kContext);
    std::string lines;
    for (; i < last; ++i) {
      pass(edits[i]);
      absl::StrAppend(&lines, std::string(1, edits[i].sign), edits[i].line, "\n");
    }
    absl::StrAppend(&text, "@@ ", Range('-', before_first, before - before_first), " ",
                    Range('+', after_first, after - after_first), " @@\n", lines);
  }
  return text;
}

}  // namespace

std::string UnifiedDiff(absl::string_view before, absl::string_view after,
                        absl::string_view before_name, absl::string_view after_name) {
  if (before == after) return "";
  return absl::StrCat("--- ", before.empty() ? "/dev/null" : before_name, "\n+++ ",
                      after.empty() ? "/dev/null" : after_name, "\n",
                      Hunks(ShortestEdits(SplitLines(before), SplitLines(after))));
}

}  // namespace cluster::cli
