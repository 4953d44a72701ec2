#include "node/init/log_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/init/text.h"

namespace cluster::init {
namespace {

constexpr size_t kPrefixSize = kTimestampSize + sizeof " stdout F " - 1;
// Lines of one byte take the most room: 42 bytes for every two read.
constexpr size_t kOutputSize = 64 * 1024;

char output[kOutputSize];
size_t output_used = 0;

// Writes `size` bytes or takes back what it wrote, so that readers see whole records only.
bool AppendWhole(LogFile* file, const char* data, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t put = write(file->fd, data + done, size - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    done += static_cast<size_t>(put);
  }
  if (done == size) {
    file->size += size;
    return true;
  }
  struct stat info {};
  if (done > 0 && fstat(file->fd, &info) == 0 && info.st_size >= static_cast<off_t>(done)) {
    if (ftruncate(file->fd, info.st_size - static_cast<off_t>(done)) != 0) return false;
  }
  return false;
}

void NameOf(const LogFile& file, uint32_t number, Text* out) {
  out->Add(file.name).Add(".").AddNumber(number);
}

// The oldest goes first: on a full disk it makes the room for the new one.
void Rotate(LogFile* file) {
  const uint32_t number = file->renamed + 1;
  if (number >= file->max_files) {
    TextBuffer<64> oldest;
    NameOf(*file, number + 1 - file->max_files, &oldest);
    (void)unlinkat(file->dir, oldest.c_str(), 0);
  }
  TextBuffer<64> fresh_name;
  fresh_name.Add(file->name).Add(".new");
  const int fresh = openat(file->dir, fresh_name.c_str(),
                           O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fresh < 0) return;
  TextBuffer<64> renamed;
  NameOf(*file, number, &renamed);
  if (renameat(file->dir, file->name, file->dir, renamed.c_str()) != 0) {
    close(fresh);
    return;
  }
  if (renameat(file->dir, fresh_name.c_str(), file->dir, file->name) != 0) {
    (void)renameat(file->dir, renamed.c_str(), file->dir, file->name);
    close(fresh);
    return;
  }
  close(file->fd);
  file->fd = fresh;
  file->size = 0;
  file->renamed = number;
}

void ReportLoss(LogFile* file) {
  char time[kTimestampSize + 1];
  FormatTimestamp(RealtimeNanoseconds(), time);
  TextBuffer<160> note;
  note.Add(time).Add(" stderr F cluster-init: ").AddNumber(static_cast<int64_t>(file->lost_bytes));
  note.Add(" bytes of log are missing here: the log could not be written\n");
  if (AppendWhole(file, note.c_str(), note.size())) file->lost_bytes = 0;
}

void Flush(LogFile* file) {
  if (output_used == 0) return;
  const bool full = file->max_bytes != 0 && file->size + output_used > file->max_bytes;
  if (full && file->size != 0) Rotate(file);
  if (file->lost_bytes != 0) ReportLoss(file);
  if (file->lost_bytes != 0 || !AppendWhole(file, output, output_used)) {
    file->lost_bytes += output_used;
  }
  output_used = 0;
}

void Emit(LogFile* file, const char* time, const char* stream, bool full, const char* text,
          size_t size) {
  if (output_used + kPrefixSize + size + 2 > kOutputSize) Flush(file);
  Text record(output + output_used, kOutputSize - output_used);
  record.Add(time, kTimestampSize).Add(" ").Add(stream).Add(full ? " F " : " P ");
  record.Add(text, size).Add("\n");
  output_used += record.size();
}

void EmitLines(LogStream* stream, LogFile* file, const char* time) {
  size_t begin = 0;
  while (begin < stream->used) {
    const char* start = stream->buffer + begin;
    const void* newline = memchr(start, '\n', stream->used - begin);
    if (newline == nullptr) break;
    const size_t length = static_cast<size_t>(static_cast<const char*>(newline) - start);
    Emit(file, time, stream->name, true, start, length);
    begin += length + 1;
  }
  if (begin == 0 && stream->used == kMaxLogLine) {
    Emit(file, time, stream->name, false, stream->buffer, stream->used);
    begin = stream->used;
  }
  stream->used -= begin;
  memmove(stream->buffer, stream->buffer + begin, stream->used);
}

void EmitRest(LogStream* stream, LogFile* file) {
  if (stream->used == 0) return;
  char time[kTimestampSize + 1];
  FormatTimestamp(RealtimeNanoseconds(), time);
  Emit(file, time, stream->name, false, stream->buffer, stream->used);
  stream->used = 0;
  Flush(file);
}

PumpResult Pump(LogStream* stream, LogFile* file, bool heed_tap) {
  if (stream->buffer == nullptr) {
    stream->buffer = static_cast<char*>(malloc(kMaxLogLine));
    if (stream->buffer == nullptr) return PumpResult::kDrained;
  }
  // A bounded number of rounds: a container that floods its log must not starve the others.
  for (int round = 0; round < 8; ++round) {
    const ssize_t got = read(stream->fd, stream->buffer + stream->used, kMaxLogLine - stream->used);
    if (got < 0 && errno == EINTR) continue;
    // EIO: the other side of the pty was hung up.
    if (got < 0 && errno != EIO) return PumpResult::kDrained;
    if (got <= 0) {
      EmitRest(stream, file);
      return PumpResult::kEnded;
    }
    const size_t size = static_cast<size_t>(got);
    const bool more = stream->tap == nullptr ||
                      stream->tap(stream->tap_owner, stream, stream->buffer + stream->used, size);
    stream->used += size;
    char time[kTimestampSize + 1];
    FormatTimestamp(RealtimeNanoseconds(), time);
    EmitLines(stream, file, time);
    Flush(file);
    if (!more && heed_tap) return PumpResult::kDrained;
  }
  return PumpResult::kMore;
}

}  // namespace

PumpResult PumpLog(LogStream* stream, LogFile* file) { return Pump(stream, file, true); }

void FinishLog(LogStream* stream, LogFile* file) {
  // Bounded: somebody outside the container may have been given the other end and flood it.
  for (int turn = 0; turn < 16 && Pump(stream, file, false) == PumpResult::kMore; ++turn) {
  }
  EmitRest(stream, file);
  free(stream->buffer);
  stream->buffer = nullptr;
}

}  // namespace cluster::init
