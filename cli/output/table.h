// Text in columns, as kubectl prints tables.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cluster::cli {

using Cells = std::vector<std::string>;

struct TableStyle {
  size_t min_width = 6;  // of a column, its gap included
  size_t gap = 3;        // at least so many spaces between columns
  size_t indent = 0;
};

// Prints batches of rows to one stream. Columns only grow wider from batch to batch, so that rows
// that come later (`-w`) stay under their headers. The last cell of a line is not padded.
class Table {
 public:
  explicit Table(std::ostream& out, TableStyle style = {}) : out_(out), style_(style) {}
  // Cells may be fewer in some rows. Control characters in cells are made visible: a message must
  // not break the table or drive the terminal.
  void Print(const std::vector<Cells>& rows);

 private:
  std::ostream& out_;
  const TableStyle style_;
  std::vector<size_t> widths_;
};

// Characters, not bytes, of UTF-8 text.
size_t DisplayWidth(absl::string_view text);

// Line breaks and tabs become spaces, other control characters "\xNN".
std::string OneLine(absl::string_view text);

}  // namespace cluster::cli
