// Reads the log of one instance of a container, from however many files it is in (log_files.h), to
// its end or as it grows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/unique_handle.h"
#include "node/session/log_line.h"

namespace cluster::node {

struct LogQuery {
  std::string path;  // the file that is being written
  bool follow = false;
  std::optional<int64_t> tail_lines;
  LogFormatter::Options format;
};

// What the reader asks of its surroundings. Called from the thread of ReadLog.
struct LogSurroundings {
  // Takes output, and blocks while the receiver is slow; false: nobody wants more.
  std::function<bool(absl::string_view data)> give;
  // The instance has ended: what its file holds now is all there will ever be.
  std::function<bool()> ended;
  // Readable when the reading is to end at once; -1: never.
  int stop_fd = -1;
};

// Blocks until everything is given (with follow: until the instance has ended). Files that do not
// exist are empty ones; without follow, what is written after the call is not waited for. Reads in
// pieces of 64 KiB; growing and renamed files are waited for with inotify(7).
absl::Status ReadLog(const LogQuery& query, const LogSurroundings& surroundings);

// Where the last `lines` lines of a log begin: in which of its open files (the oldest first), at
// which byte. The parts of a long line count as one.
struct LogPosition {
  size_t file = 0;
  int64_t offset = 0;
};
absl::StatusOr<LogPosition> FindTail(const std::vector<int>& files, int64_t lines);

}  // namespace cluster::node
