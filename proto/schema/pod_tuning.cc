#include "proto/schema/pod_tuning.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "proto/schema/scalars.h"

namespace cluster {
namespace {

constexpr char kOomPolicy[] = "cluster.v1/oom-policy";
constexpr char kIoWeight[] = "cluster.v1/io-weight";
constexpr char kIoMax[] = "cluster.v1/io-max";
constexpr char kOnDisconnect[] = "cluster.v1/on-disconnect";
constexpr char kBoottime[] = "cluster.v1/time-offset-boottime";
constexpr char kMonotonic[] = "cluster.v1/time-offset-monotonic";
constexpr int64_t kMostWeight = 10000;
constexpr int64_t kMostOffset = 1000000000;  // seconds, about 31 years

bool IsDevice(absl::string_view word) {
  if (absl::StartsWith(word, "/dev/") && word.size() > 5 && !absl::StrContains(word, "..")) {
    return true;
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(word, ':');
  uint32_t number = 0;
  return parts.size() == 2 && absl::SimpleAtoi(parts[0], &number) &&
         absl::SimpleAtoi(parts[1], &number);
}

// False: the word is none of them.
bool ReadLimit(absl::string_view word, DiskTuning* disk) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(word, absl::MaxSplits('=', 1));
  const auto amount = QuantityValue(parts.second);
  if (!amount.ok() || *amount <= 0) return false;
  const std::pair<const char*, int64_t*> fields[] = {{"rbps", &disk->read_bytes_per_second},
                                                     {"wbps", &disk->write_bytes_per_second},
                                                     {"riops", &disk->reads_per_second},
                                                     {"wiops", &disk->writes_per_second}};
  for (const auto& [name, field] : fields) {
    if (parts.first != name) continue;
    *field = *amount;
    return true;
  }
  return false;
}

std::string ReadIoMax(absl::string_view text, PodTuning* tuning) {
  for (const absl::string_view part : absl::StrSplit(text, ';', absl::SkipWhitespace())) {
    const std::vector<absl::string_view> words = absl::StrSplit(part, ' ', absl::SkipWhitespace());
    DiskTuning disk;
    disk.device = std::string(words[0]);
    bool good = IsDevice(words[0]) && words.size() > 1;
    for (size_t i = 1; good && i < words.size(); ++i) good = ReadLimit(words[i], &disk);
    if (!good) {
      return absl::StrCat("\"", absl::StripAsciiWhitespace(part),
                          "\" is no disk limit; write it like /dev/sda rbps=10Mi wiops=100");
    }
    tuning->disks.push_back(std::move(disk));
  }
  return "";
}

std::string ReadOffset(const std::string& value, std::optional<int64_t>* offset) {
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(value, &seconds) || seconds < 0 || seconds > kMostOffset) {
    return absl::StrCat("\"", value, "\" is no offset; use whole seconds from 0 to ", kMostOffset);
  }
  *offset = seconds;
  return "";
}

// The problem with one annotation, or "" with it taken over.
std::string Read(const std::string& key, const std::string& value, PodTuning* tuning) {
  if (key == kOomPolicy) {
    tuning->oom_kills_process_alone = value == "process";
    if (value == "process" || value == "container") return "";
    return absl::StrCat("\"", value, "\" is no OOM policy; use container or process");
  }
  if (key == kIoWeight) {
    if (absl::SimpleAtoi(value, &tuning->io_weight) && tuning->io_weight >= 1 &&
        tuning->io_weight <= kMostWeight) {
      return "";
    }
    return absl::StrCat("\"", value, "\" is no weight; use 1 to ", kMostWeight);
  }
  if (key == kOnDisconnect) {
    tuning->on_disconnect = value == "stop"   ? OnDisconnect::kStop
                            : value == "keep" ? OnDisconnect::kKeep
                                              : OnDisconnect::kUnset;
    if (tuning->on_disconnect != OnDisconnect::kUnset) return "";
    return absl::StrCat("\"", value, "\" says nothing; use stop or keep");
  }
  if (key == kIoMax) return ReadIoMax(value, tuning);
  if (key == kBoottime) return ReadOffset(value, &tuning->boottime_offset);
  if (key == kMonotonic) return ReadOffset(value, &tuning->monotonic_offset);
  return "there is no such annotation; there are cluster.v1/io-max, cluster.v1/io-weight, "
         "cluster.v1/on-disconnect, cluster.v1/oom-policy, cluster.v1/time-offset-boottime and "
         "cluster.v1/time-offset-monotonic";
}

std::vector<std::pair<std::string, std::string>> ReadAll(const v1::ObjectMeta& meta,
                                                         PodTuning* tuning) {
  std::map<std::string, std::string> ours;
  for (const auto& [key, value] : meta.annotations()) {
    if (absl::StartsWith(key, kTuningPrefix)) ours[key] = value;
  }
  std::vector<std::pair<std::string, std::string>> problems;
  for (const auto& [key, value] : ours) {
    std::string problem = Read(key, value, tuning);
    if (!problem.empty()) problems.emplace_back(key, std::move(problem));
  }
  return problems;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> TuningProblems(const v1::ObjectMeta& meta) {
  PodTuning tuning;
  return ReadAll(meta, &tuning);
}

OnDisconnect OnDisconnectOf(const v1::ObjectMeta& meta) {
  PodTuning tuning;
  const auto annotation = meta.annotations().find(kOnDisconnect);
  if (annotation != meta.annotations().end()) Read(kOnDisconnect, annotation->second, &tuning);
  return tuning.on_disconnect;
}

absl::StatusOr<PodTuning> ParseTuning(const v1::ObjectMeta& meta) {
  PodTuning tuning;
  const auto problems = ReadAll(meta, &tuning);
  if (problems.empty()) return tuning;
  return absl::InvalidArgumentError(
      absl::StrCat("annotation ", problems[0].first, ": ", problems[0].second));
}

}  // namespace cluster
