#include "node/stats/reading.h"

#include <charconv>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace cluster::node {
namespace {

// These run over some thousand texts in one look: nothing here allocates.

// The text up to the next `end`, which is taken off `text` with it.
absl::string_view Take(absl::string_view* text, char end) {
  const size_t at = text->find(end);
  const absl::string_view taken = text->substr(0, at);
  text->remove_prefix(at == absl::string_view::npos ? text->size() : at + 1);
  return taken;
}

double ReadDecimal(absl::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The number behind "name=" among words.
absl::string_view Word(absl::string_view words, absl::string_view name) {
  while (!words.empty()) {
    absl::string_view word = Take(&words, ' ');
    if (absl::ConsumePrefix(&word, name) && absl::ConsumePrefix(&word, "=")) return word;
  }
  return {};
}

// Sums of "8:0 Read 1" and "8:0 Write 2".
void ReadV1Io(absl::string_view text, int64_t* reads, int64_t* writes) {
  while (!text.empty()) {
    absl::string_view line = Take(&text, '\n');
    Take(&line, ' ');
    const absl::string_view direction = Take(&line, ' ');
    if (direction == "Read") *reads += ReadNumber(line);
    if (direction == "Write") *writes += ReadNumber(line);
  }
}

constexpr int64_t kThousand = 1000;

}  // namespace

int64_t ReadNumber(absl::string_view text) {
  while (!text.empty() && (text[0] < '0' || text[0] > '9')) text.remove_prefix(1);
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int64_t ReadField(absl::string_view text, absl::string_view key) {
  while (!text.empty()) {
    absl::string_view line = Take(&text, '\n');
    if (absl::ConsumePrefix(&line, key) && absl::StartsWith(line, " ")) return ReadNumber(line);
  }
  return 0;
}

Stall ReadStall(absl::string_view text) {
  Stall stall;
  while (!text.empty()) {
    const absl::string_view line = Take(&text, '\n');
    const double share = ReadDecimal(Word(line, "avg10"));
    if (absl::StartsWith(line, "some")) stall.some = share;
    if (absl::StartsWith(line, "full")) stall.full = share;
  }
  return stall;
}

void ReadV2Cpu(absl::string_view text, GroupReading* reading) {
  reading->cpu_nanoseconds = ReadField(text, "usage_usec") * kThousand;
  reading->cpu_periods = ReadField(text, "nr_periods");
  reading->throttled_periods = ReadField(text, "nr_throttled");
  reading->throttled_nanoseconds = ReadField(text, "throttled_usec") * kThousand;
}

void ReadV1Cpu(absl::string_view text, GroupReading* reading) {
  reading->cpu_periods = ReadField(text, "nr_periods");
  reading->throttled_periods = ReadField(text, "nr_throttled");
  reading->throttled_nanoseconds = ReadField(text, "throttled_time");
}

void ReadV2Memory(absl::string_view text, GroupReading* reading) {
  reading->rss_bytes = ReadField(text, "anon");
  reading->inactive_file_bytes = ReadField(text, "inactive_file");
}

void ReadV1Memory(absl::string_view text, GroupReading* reading) {
  reading->rss_bytes = ReadField(text, "total_rss");
  reading->inactive_file_bytes = ReadField(text, "total_inactive_file");
}

void ReadV2Io(absl::string_view text, GroupReading* reading) {
  while (!text.empty()) {
    const absl::string_view line = Take(&text, '\n');
    reading->read_bytes += ReadNumber(Word(line, "rbytes"));
    reading->written_bytes += ReadNumber(Word(line, "wbytes"));
    reading->reads += ReadNumber(Word(line, "rios"));
    reading->writes += ReadNumber(Word(line, "wios"));
  }
}

void ReadV1IoBytes(absl::string_view text, GroupReading* reading) {
  ReadV1Io(text, &reading->read_bytes, &reading->written_bytes);
}

void ReadV1IoCount(absl::string_view text, GroupReading* reading) {
  ReadV1Io(text, &reading->reads, &reading->writes);
}

int64_t ReadMachineCpu(absl::string_view text, int64_t ticks) {
  // "cpu  user nice system idle iowait irq softirq steal guest guest_nice"; guests are in user.
  absl::string_view line = Take(&text, '\n');
  if (!absl::ConsumePrefix(&line, "cpu ") || ticks <= 0) return 0;
  constexpr int kIdle = 3;
  constexpr int kIoWait = 4;
  constexpr int kSteal = 7;
  int64_t busy = 0;
  for (int field = 0; field <= kSteal && !line.empty(); ++field) {
    line = absl::StripLeadingAsciiWhitespace(line);
    const int64_t value = ReadNumber(Take(&line, ' '));
    if (field != kIdle && field != kIoWait && field != kSteal) busy += value;
  }
  return static_cast<int64_t>(static_cast<__int128>(busy) * 1'000'000'000 / ticks);
}

int64_t ReadMemoryInfo(absl::string_view text, absl::string_view key) {
  while (!text.empty()) {
    absl::string_view line = Take(&text, '\n');
    if (absl::ConsumePrefix(&line, key) && absl::StartsWith(line, ":")) {
      return ReadNumber(line) << 10;
    }
  }
  return 0;
}

int64_t ReadTasks(absl::string_view text) {
  const size_t slash = text.find('/');
  return slash == absl::string_view::npos ? 0 : ReadNumber(text.substr(slash));
}

v1::Pressure ToPressure(const Stall& stall) {
  v1::Pressure pressure;
  pressure.set_some(stall.some);
  pressure.set_full(stall.full);
  return pressure;
}

v1::ResourceStats ToStats(const GroupReading& reading) {
  v1::ResourceStats stats;
  stats.set_cpu_nanoseconds(reading.cpu_nanoseconds);
  stats.set_cpu_periods(reading.cpu_periods);
  stats.set_throttled_periods(reading.throttled_periods);
  stats.set_throttled_nanoseconds(reading.throttled_nanoseconds);
  stats.set_memory_bytes(reading.memory_bytes);
  stats.set_memory_working_set_bytes(reading.working_set_bytes());
  stats.set_memory_rss_bytes(reading.rss_bytes);
  stats.set_memory_limit_bytes(reading.memory_limit_bytes);
  stats.set_oom_kills(reading.oom_kills);
  stats.set_read_bytes(reading.read_bytes);
  stats.set_written_bytes(reading.written_bytes);
  stats.set_reads(reading.reads);
  stats.set_writes(reading.writes);
  stats.set_pids(reading.pids);
  *stats.mutable_cpu_pressure() = ToPressure(reading.cpu_stall);
  *stats.mutable_memory_pressure() = ToPressure(reading.memory_stall);
  *stats.mutable_io_pressure() = ToPressure(reading.io_stall);
  return stats;
}

}  // namespace cluster::node
