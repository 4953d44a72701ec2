#include "cli/output/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cluster::cli {

size_t DisplayWidth(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string OneLine(absl::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\t' || c == '\r') {
      line += ' ';
    } else if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(&line, "\\x%02x", byte);
    } else {
      line += c;
    }
  }
  return line;
}

void Table::Print(const std::vector<Cells>& rows) {
  std::vector<Cells> lines;
  for (const Cells& row : rows) {
    Cells& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(OneLine(cell));
    widths_.resize(std::max(widths_.size(), row.size()), style_.min_width);
    for (size_t i = 0; i < line.size(); ++i) {
      widths_[i] = std::max(widths_[i], DisplayWidth(line[i]) + style_.gap);
    }
  }
  for (Cells& line : lines) {
    while (!line.empty() && line.back().empty()) line.pop_back();
    out_ << std::string(style_.indent, ' ');
    for (size_t i = 0; i < line.size(); ++i) {
      out_ << line[i];
      if (i + 1 < line.size()) out_ << std::string(widths_[i] - DisplayWidth(line[i]), ' ');
    }
    out_ << "\n";
  }
}

}  // namespace cluster::cli
