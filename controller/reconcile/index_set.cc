#include "controller/reconcile/index_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cluster::controller {

IndexSet IndexSet::Parse(absl::string_view text, int limit) {
  IndexSet set;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> ends =
        absl::StrSplit(part, absl::MaxSplits('-', 1));
    int first = 0;
    int last = 0;
    if (!absl::SimpleAtoi(ends.first, &first) || first < 0) continue;
    last = first;
    if (!ends.second.empty() && !absl::SimpleAtoi(ends.second, &last)) continue;
    last = std::min(last, limit - 1);
    // Ascending and apart, as ToString writes them.
    const bool apart = set.ranges_.empty() || set.ranges_.rbegin()->second < first;
    if (last < first || !apart) continue;
    set.ranges_[first] = last;
    set.size_ += last - first + 1;
  }
  return set;
}

bool IndexSet::Has(int index) const {
  const auto after = ranges_.upper_bound(index);
  return after != ranges_.begin() && std::prev(after)->second >= index;
}

int IndexSet::FirstMissing(int from) const {
  const auto after = ranges_.upper_bound(from);
  if (after == ranges_.begin() || std::prev(after)->second < from) return from;
  return std::prev(after)->second + 1;
}

bool IndexSet::Add(int index) {
  if (Has(index)) return false;
  ++size_;
  int last = index;
  const auto after = ranges_.upper_bound(index);
  if (after != ranges_.end() && after->first == index + 1) {
    last = after->second;
    ranges_.erase(after);
  }
  const auto next = ranges_.upper_bound(index);
  if (next != ranges_.begin() && std::prev(next)->second == index - 1) {
    std::prev(next)->second = last;
  } else {
    ranges_[index] = last;
  }
  return true;
}

std::string IndexSet::ToString() const {
  std::string text;
  for (const auto& [first, last] : ranges_) {
    absl::StrAppend(&text, text.empty() ? "" : ",", first);
    // Kubernetes writes two neighbours as a range too.
    if (last > first) absl::StrAppend(&text, "-", last);
  }
  return text;
}

}  // namespace cluster::controller
