// Which indexes of an Indexed job are done, as its status writes it: "1,3-5,7".
#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace cluster::controller {

// Whole numbers from 0 on, kept as ranges: its cost is that of its text, not of its size.
class IndexSet {
 public:
  // Reads what ToString wrote. Indexes from `limit` on, and what cannot be read, are left out.
  static IndexSet Parse(absl::string_view text, int limit);

  bool Has(int index) const;
  // False when it was there already. `index` is not negative.
  bool Add(int index);
  int size() const { return size_; }
  // The first index of at least `from` that is not in here.
  int FirstMissing(int from) const;
  std::string ToString() const;

 private:
  std::map<int, int> ranges_;  // first -> last, neither touching nor overlapping
  int size_ = 0;
};

}  // namespace cluster::controller
