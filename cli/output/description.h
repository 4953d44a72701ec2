// The text of `describe`: fields under each other with aligned values, nested by indentation.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/output/table.h"

namespace cluster::cli {

class Description {
 public:
  // "key:   value". A value of several lines goes on under its first line.
  void Field(int level, absl::string_view key, absl::string_view value);
  // "key:" with what comes below it.
  void Section(int level, absl::string_view key) { Field(level, key, ""); }
  // A field with one value per line; "<none>" when there are none.
  void List(int level, absl::string_view key, const std::vector<std::string>& values);
  // Rows under each other with their own widths.
  void Rows(int level, const std::vector<Cells>& rows);
  // Text of any number of lines, not indented; control characters are made visible.
  void Text(absl::string_view text);
  // One line as it is.
  void Line(int level, absl::string_view text);

  std::string ToString() const;

 private:
  struct Entry {
    int level;
    std::string key;  // empty: only a value
    std::string value;
    bool is_field;
  };
  // For each entry the column of its value, which fields of one level under one parent share.
  std::vector<size_t> ValueColumns() const;

  std::vector<Entry> entries_;
};

}  // namespace cluster::cli
