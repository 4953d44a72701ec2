#include "node/oci/stats.h"

#include <dirent.h>
#include <fcntl.h>

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/status.h"

namespace cluster::oci {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr uint64_t kNanosecondsPerTick = 10'000'000;  // USER_HZ is 100 for all that we build for

// "max", absent files and what is no number read as their end of the range.
uint64_t NumberIn(int directory, const std::string& file, uint64_t otherwise = 0) {
  const auto text = ReadFileAt(directory, file);
  uint64_t number = 0;
  if (!text.ok()) return otherwise;
  if (absl::StartsWith(*text, "max")) return std::numeric_limits<uint64_t>::max();
  return absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &number) ? number : otherwise;
}

std::string TextIn(int directory, const std::string& file) {
  return ReadFileAt(directory, file).value_or("");
}

OrderedJson Throttling(const std::string& stat, bool v2) {
  return {{"periods", StatField(stat, "nr_periods")},
          {"throttledPeriods", StatField(stat, "nr_throttled")},
          {"throttledTime",
           v2 ? StatField(stat, "throttled_usec") * 1000 : StatField(stat, "throttled_time")}};
}

void AddCpu(const Group& group, OrderedJson* out) {
  bool v2 = false;
  const int cpu = group.DirectoryOf("cpu", &v2);
  if (cpu < 0) return;
  const std::string stat = TextIn(cpu, "cpu.stat");
  OrderedJson usage;
  if (v2) {
    usage = {{"total", StatField(stat, "usage_usec") * 1000},
             {"kernel", StatField(stat, "system_usec") * 1000},
             {"user", StatField(stat, "user_usec") * 1000}};
  } else if (const int account = group.DirectoryOf("cpuacct", &v2); account >= 0) {
    const std::string split = TextIn(account, "cpuacct.stat");
    OrderedJson each = OrderedJson::array();
    const std::string text = TextIn(account, "cpuacct.usage_percpu");
    for (const absl::string_view word :
         absl::StrSplit(absl::StripAsciiWhitespace(text), ' ', absl::SkipEmpty())) {
      uint64_t number = 0;
      if (absl::SimpleAtoi(word, &number)) each.push_back(number);
    }
    usage = {{"total", NumberIn(account, "cpuacct.usage")},
             {"percpu", each},
             {"kernel", StatField(split, "system") * kNanosecondsPerTick},
             {"user", StatField(split, "user") * kNanosecondsPerTick}};
    v2 = false;
  }
  (*out)["cpu"] = {{"usage", usage}, {"throttling", Throttling(stat, v2)}};
}

OrderedJson MemoryV1(int memory, const std::string& stem) {
  return {{"limit", NumberIn(memory, stem + "limit_in_bytes")},
          {"usage", NumberIn(memory, stem + "usage_in_bytes")},
          {"max", NumberIn(memory, stem + "max_usage_in_bytes")},
          {"failcnt", NumberIn(memory, stem + "failcnt")}};
}

OrderedJson MemoryV2(int memory, const std::string& stem) {
  return {{"limit", NumberIn(memory, stem + "max")},
          {"usage", NumberIn(memory, stem + "current")},
          {"max", NumberIn(memory, stem + "peak")},
          {"failcnt", StatField(TextIn(memory, stem + "events"), "max")}};
}

void AddMemory(const Group& group, OrderedJson* out) {
  bool v2 = false;
  const int memory = group.DirectoryOf("memory", &v2);
  if (memory < 0) return;
  const std::string stat = TextIn(memory, "memory.stat");
  OrderedJson raw = OrderedJson::object();
  for (const absl::string_view line : absl::StrSplit(stat, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, absl::string_view> pair =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    uint64_t number = 0;
    if (absl::SimpleAtoi(pair.second, &number)) raw[pair.first] = number;
  }
  (*out)["memory"] = {
      {"cache", StatField(stat, v2 ? "file" : "cache")},
      {"usage", v2 ? MemoryV2(memory, "memory.") : MemoryV1(memory, "memory.")},
      {"swap", v2 ? MemoryV2(memory, "memory.swap.") : MemoryV1(memory, "memory.memsw.")},
      {"raw", raw}};
}

void AddPids(const Group& group, OrderedJson* out) {
  bool v2 = false;
  const int pids = group.DirectoryOf("pids", &v2);
  if (pids < 0) return;
  const uint64_t limit = NumberIn(pids, "pids.max");
  (*out)["pids"] = {{"current", NumberIn(pids, "pids.current")},
                    {"limit", limit == std::numeric_limits<uint64_t>::max() ? 0 : limit}};
}

// Lines "MAJOR:MINOR OPERATION NUMBER".
OrderedJson BlockV1(int directory, const char* file) {
  OrderedJson list = OrderedJson::array();
  const std::string text = TextIn(directory, file);
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::ByAnyChar(": "));
    uint64_t major = 0;
    uint64_t minor = 0;
    uint64_t value = 0;
    if (words.size() != 4 || !absl::SimpleAtoi(words[0], &major) ||
        !absl::SimpleAtoi(words[1], &minor) || !absl::SimpleAtoi(words[3], &value)) {
      continue;
    }
    list.push_back({{"major", major}, {"minor", minor}, {"op", words[2]}, {"value", value}});
  }
  return list;
}

// Lines "MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N ...".
OrderedJson BlockV2(const std::string& text, absl::string_view read, absl::string_view write) {
  OrderedJson list = OrderedJson::array();
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    const std::vector<std::string> device = absl::StrSplit(words[0], ':');
    uint64_t major = 0;
    uint64_t minor = 0;
    if (device.size() != 2 || !absl::SimpleAtoi(device[0], &major) ||
        !absl::SimpleAtoi(device[1], &minor)) {
      continue;
    }
    for (const std::string& word : words) {
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(word, absl::MaxSplits('=', 1));
      uint64_t value = 0;
      if ((pair.first != read && pair.first != write) || !absl::SimpleAtoi(pair.second, &value)) {
        continue;
      }
      list.push_back({{"major", major},
                      {"minor", minor},
                      {"op", pair.first == read ? "Read" : "Write"},
                      {"value", value}});
    }
  }
  return list;
}

void AddBlock(const Group& group, OrderedJson* out) {
  bool v2 = false;
  if (const int blkio = group.DirectoryOf("blkio", &v2); blkio >= 0) {
    (*out)["blkio"] = {
        {"ioServiceBytesRecursive", BlockV1(blkio, "blkio.throttle.io_service_bytes_recursive")},
        {"ioServicedRecursive", BlockV1(blkio, "blkio.throttle.io_serviced_recursive")}};
  } else if (const int io = group.DirectoryOf("io", &v2); io >= 0) {
    const std::string text = TextIn(io, "io.stat");
    (*out)["blkio"] = {{"ioServiceBytesRecursive", BlockV2(text, "rbytes", "wbytes")},
                       {"ioServicedRecursive", BlockV2(text, "rios", "wios")}};
  }
}

void AddHugepages(const Group& group, OrderedJson* out) {
  bool v2 = false;
  const int hugetlb = group.DirectoryOf("hugetlb", &v2);
  if (hugetlb < 0) return;
  const auto listed = OpenAt(hugetlb, ".", O_RDONLY | O_DIRECTORY);
  DIR* stream = listed.ok() ? ::fdopendir(::fcntl(listed->get(), F_DUPFD_CLOEXEC, 3)) : nullptr;
  if (stream == nullptr) return;
  const std::string end = v2 ? ".current" : ".usage_in_bytes";
  OrderedJson sizes = OrderedJson::object();
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (!absl::StartsWith(name, "hugetlb.") || !absl::EndsWith(name, end) ||
        absl::StrContains(name, ".rsvd.")) {
      continue;
    }
    const std::string size = name.substr(8, name.size() - 8 - end.size());
    const std::string stem = absl::StrCat("hugetlb.", size);
    sizes[size] = {{"usage", NumberIn(hugetlb, name)},
                   {"max", NumberIn(hugetlb, stem + (v2 ? ".max" : ".max_usage_in_bytes"))},
                   {"failcnt", v2 ? StatField(TextIn(hugetlb, stem + ".events"), "max")
                                  : NumberIn(hugetlb, stem + ".failcnt")}};
  }
  ::closedir(stream);
  (*out)["hugetlb"] = sizes;
}

}  // namespace

uint64_t StatField(absl::string_view text, absl::string_view key) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    uint64_t value = 0;
    if (pair.first == key && absl::SimpleAtoi(pair.second, &value)) return value;
  }
  return 0;
}

absl::StatusOr<std::string> ReadStats(const Group& group) {
  if (group.empty()) return absl::NotFoundError(absl::StrCat("no cgroup ", group.path()));
  OrderedJson stats = OrderedJson::object();
  AddCpu(group, &stats);
  AddMemory(group, &stats);
  AddPids(group, &stats);
  AddBlock(group, &stats);
  AddHugepages(group, &stats);
  return stats.dump();
}

}  // namespace cluster::oci
