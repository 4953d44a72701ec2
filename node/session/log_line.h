// The lines of a container's log file: "2026-11-23T22:15:00.123456789Z stdout F text". P marks a
// part of a line that was too long for one; the last part of a line carries F. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cluster::node {

struct LogLine {
  absl::string_view time;    // as written
  absl::string_view stream;  // "stdout" or "stderr"
  bool partial = false;
  absl::string_view text;
};

// Without the newline. Nothing for what is not of this form.
std::optional<LogLine> ParseLogLine(absl::string_view line);

// Puts the parts of lines together and leaves out what was not asked for. Holds at most
// kMaxHeldBytes of an unfinished line per stream; longer ones flow on in pieces.
class LogFormatter {
 public:
  struct Options {
    absl::Time since = absl::InfinitePast();
    bool timestamps = false;
    int64_t limit_bytes = INT64_MAX;
  };
  static constexpr size_t kMaxHeldBytes = 64 << 10;

  explicit LogFormatter(Options options) : options_(options), left_(options.limit_bytes) {}

  // Appends to `out` what the line (without newline) contributes.
  void Add(absl::string_view line, std::string* out);
  // What is held of lines that never ended.
  void Finish(std::string* out);
  // The limit is reached.
  bool Full() const { return left_ <= 0; }

 private:
  struct Held {
    std::string text;
    bool flowing = false;  // its beginning was already given out
  };
  void Give(absl::string_view text, std::string* out);
  void Begin(const LogLine& line, Held* held) const;

  const Options options_;
  int64_t left_;
  std::map<std::string, Held, std::less<>> held_;  // by stream
};

}  // namespace cluster::node
