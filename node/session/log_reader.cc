#include "node/session/log_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "base/file.h"
#include "base/status.h"
#include "node/session/log_files.h"

namespace cluster::node {
namespace {

constexpr size_t kLogPiece = 64 << 10;
// cluster-init cuts lines at 16 KiB; anything far longer is no log line.
constexpr size_t kMaxLineBytes = 1 << 20;
// A lost hint costs at most this much.
constexpr int kPeriodMilliseconds = 500;
// A file's time comes from a clock that is a tick behind the one in the records.
constexpr absl::Duration kClockSlack = absl::Seconds(1);

// One open file, read forward line by line. What has no newline yet is read again next time: the
// writer takes half a record back when the disk is full.
class Cursor {
 public:
  Cursor(LogFilePart part, int64_t offset) : part_(std::move(part)), offset_(offset) {}

  const LogFilePart& part() const { return part_; }

  // Formats everything that is there now; true when `give` still wants more.
  absl::StatusOr<bool> Drain(LogFormatter* formatter,
                             const std::function<bool(absl::string_view)>& give) {
    char piece[kLogPiece];
    for (;;) {
      const ssize_t got = ::pread(part_.fd.get(), piece, sizeof piece, offset_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoStatus("read", "log file");
      std::string out;
      const size_t used =
          Split(absl::string_view(piece, static_cast<size_t>(got)), formatter, &out);
      if (used == 0) return true;
      offset_ += static_cast<int64_t>(used);
      if (!out.empty() && !give(out)) return false;
      if (formatter->Full()) return false;
    }
  }

 private:
  // The bytes of whole lines.
  static size_t Split(absl::string_view data, LogFormatter* formatter, std::string* out) {
    size_t begin = 0;
    for (size_t newline; (newline = data.find('\n', begin)) != absl::string_view::npos;) {
      formatter->Add(data.substr(begin, newline - begin), out);
      begin = newline + 1;
    }
    // No line of ours is that long.
    return begin == 0 && data.size() == kLogPiece ? data.size() : begin;
  }

  LogFilePart part_;
  int64_t offset_;
};

// Wakes up when a file or its directory changes.
class Watch {
 public:
  absl::Status Open(const std::string& directory) {
    fd_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!fd_) return ErrnoStatus("inotify_init");
    // Without a watch (the directory is not there yet) the period alone drives the reading.
    (void)::inotify_add_watch(fd_.get(), directory.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    return absl::OkStatus();
  }
  // False: `stop_fd` says that it is over.
  bool Wait(int stop_fd) {
    pollfd fds[2] = {{fd_.get(), POLLIN, 0}, {stop_fd, POLLIN, 0}};
    const int ready = ::poll(fds, 2, kPeriodMilliseconds);
    if (ready > 0 && fds[1].revents != 0) return false;
    char events[4096];
    while (::read(fd_.get(), events, sizeof events) > 0) {
    }
    return true;
  }

 private:
  UniqueFd fd_;
};

// Whether the line that ends at `end` in `window` closes a line of output.
bool Closes(absl::string_view window, size_t end) {
  const size_t before = window.rfind('\n', end == 0 ? 0 : end - 1);
  const size_t begin = before == absl::string_view::npos || before == end ? 0 : before + 1;
  const std::optional<LogLine> line = ParseLogLine(window.substr(begin, end - begin));
  return line && !line->partial;
}

// Counts lines from the end of a log backwards, file by file.
class TailSearch {
 public:
  explicit TailSearch(int64_t lines) : lines_(lines) {}

  // The offset where they begin when that is in this file.
  absl::StatusOr<std::optional<int64_t>> GoThrough(int fd) {
    struct stat file {};
    if (::fstat(fd, &file) != 0) return ErrnoStatus("fstat", "log file");
    int64_t begin = file.st_size;
    std::string window;  // [begin, begin + window.size()): everything behind it is settled
    while (begin > 0) {
      const int64_t piece = std::min<int64_t>(begin, kLogPiece);
      std::string data(static_cast<size_t>(piece), '\0');
      const ssize_t got = ::pread(fd, data.data(), data.size(), begin - piece);
      if (got < 0) return ErrnoStatus("read", "log file");
      if (got != piece) return absl::UnavailableError("the log file shrank while it was read");
      begin -= piece;
      window.insert(0, data);
      if (const auto found = Search(&window, begin)) return found;
      if (window.size() > kMaxLineBytes) window.clear();
    }
    return std::optional<int64_t>();
  }

 private:
  std::optional<int64_t> Search(std::string* window, int64_t begin) {
    for (;;) {
      const size_t newline = window->rfind('\n');
      if (newline == std::string::npos) return std::nullopt;
      const size_t before = newline == 0 ? std::string::npos : window->rfind('\n', newline - 1);
      // Its beginning may lie before the window: it waits for the next piece.
      if (before == std::string::npos && begin > 0) return std::nullopt;
      // The very last line of the log is a line also when it is unfinished.
      if (Closes(*window, newline) || last_) {
        if (found_ == lines_) return begin + static_cast<int64_t>(newline) + 1;
        ++found_;
      }
      last_ = false;
      window->resize(newline);
    }
  }

  const int64_t lines_;
  int64_t found_ = 0;
  bool last_ = true;
};

// A log as it is read: file after file.
class Reading {
 public:
  Reading(const LogQuery& query, const LogSurroundings& surroundings)
      : files_(query.path), query_(query), surroundings_(surroundings), formatter_(query.format) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(bool more, ReadWhatIsThere());
    if (more && query_.follow) {
      ASSIGN_OR_RETURN(more, Follow());
    }
    if (!more) return absl::OkStatus();
    std::string rest;
    formatter_.Finish(&rest);
    if (!rest.empty()) surroundings_.give(rest);
    return absl::OkStatus();
  }

 private:
  // Each says whether more is wanted.
  absl::StatusOr<bool> ReadWhatIsThere() {
    ASSIGN_OR_RETURN(std::vector<LogFilePart> parts, files_.OpenAll());
    LogPosition from;
    if (query_.tail_lines) {
      std::vector<int> fds;
      for (const LogFilePart& part : parts) fds.push_back(part.fd.get());
      ASSIGN_OR_RETURN(from, FindTail(fds, *query_.tail_lines));
    }
    for (size_t i = from.file; i < parts.size(); ++i) {
      const bool older =
          absl::TimeFromTimespec(parts[i].stat.st_mtim) + kClockSlack < query_.format.since;
      if (older && i + 1 < parts.size()) continue;
      cursor_.emplace(std::move(parts[i]), i == from.file ? from.offset : 0);
      ASSIGN_OR_RETURN(const bool more, cursor_->Drain(&formatter_, surroundings_.give));
      if (!more) return false;
    }
    return true;
  }

  absl::StatusOr<bool> Follow() {
    Watch watch;
    RETURN_IF_ERROR(watch.Open(std::filesystem::path(query_.path).parent_path()));
    for (;;) {
      // Asked before reading: what was written until the end is then surely read below.
      const bool ended = surroundings_.ended();
      ASSIGN_OR_RETURN(const bool more, CatchUp());
      if (!more || ended) return more;
      if (!watch.Wait(surroundings_.stop_fd)) return false;
    }
  }

  absl::StatusOr<bool> CatchUp() {
    if (!cursor_.has_value()) return ReadWhatIsThere();
    for (;;) {
      // Asked before reading: when another file follows, nothing is added to this one any more.
      ASSIGN_OR_RETURN(LogFilePart next, files_.OpenNext(cursor_->part()));
      ASSIGN_OR_RETURN(const bool more, cursor_->Drain(&formatter_, surroundings_.give));
      if (!more) return false;
      if (!next.fd) return true;
      cursor_.emplace(std::move(next), 0);
    }
  }

  const LogFiles files_;
  const LogQuery& query_;
  const LogSurroundings& surroundings_;
  LogFormatter formatter_;
  std::optional<Cursor> cursor_;  // of the newest file seen
};

}  // namespace

absl::StatusOr<LogPosition> FindTail(const std::vector<int>& files, int64_t lines) {
  TailSearch search(lines);
  for (size_t i = files.size(); i > 0; --i) {
    ASSIGN_OR_RETURN(const std::optional<int64_t> offset, search.GoThrough(files[i - 1]));
    if (offset.has_value()) return LogPosition{i - 1, *offset};
  }
  return LogPosition{};
}

absl::Status ReadLog(const LogQuery& query, const LogSurroundings& surroundings) {
  return Reading(query, surroundings).Run();
}

}  // namespace cluster::node
