#include "node/oci/update_resources.h"

#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::oci {
namespace {

constexpr Flag kUpdateFlags[] = {
    {"resources", 'r', Flag::kValue, "FILE", "linux.resources as JSON; - is standard input"},
    {"memory", 0, Flag::kValue, "BYTES", "memory.limit"},
    {"memory-reservation", 0, Flag::kValue, "BYTES", "memory.reservation"},
    {"memory-swap", 0, Flag::kValue, "BYTES", "memory.swap: memory and swap together"},
    {"cpu-shares", 0, Flag::kValue, "N", "cpu.shares"},
    {"cpu-share", 0, Flag::kValue, "N", "the same"},
    {"cpu-quota", 0, Flag::kValue, "MICROSECONDS", "cpu.quota"},
    {"cpu-period", 0, Flag::kValue, "MICROSECONDS", "cpu.period"},
    {"cpu-burst", 0, Flag::kValue, "MICROSECONDS", "cpu.burst"},
    {"cpu-rt-period", 0, Flag::kValue, "MICROSECONDS", "cpu.realtimePeriod"},
    {"cpu-rt-runtime", 0, Flag::kValue, "MICROSECONDS", "cpu.realtimeRuntime"},
    {"cpu-idle", 0, Flag::kValue, "0|1", "cpu.idle"},
    {"cpuset-cpus", 0, Flag::kValue, "LIST", "cpu.cpus"},
    {"cpuset-mems", 0, Flag::kValue, "LIST", "cpu.mems"},
    {"pids-limit", 0, Flag::kValue, "N", "pids.limit"},
    {"blkio-weight", 0, Flag::kValue, "N", "blockIO.weight"}};

absl::StatusOr<int64_t> ParseSize(const char* flag, const std::string& text) {
  std::string number = text;
  int64_t unit = 1;
  constexpr std::pair<char, int64_t> kUnits[] = {
      {'k', 1 << 10}, {'m', 1 << 20}, {'g', 1 << 30}, {'t', int64_t{1} << 40}};
  if (!number.empty() && (number.back() == 'b' || number.back() == 'B')) number.pop_back();
  for (const auto& [letter, size] : kUnits) {
    if (number.empty() || (number.back() | 0x20) != letter) continue;
    number.pop_back();
    unit = size;
    break;
  }
  int64_t value = 0;
  if (absl::SimpleAtoi(number, &value) && value >= -1 &&
      value <= std::numeric_limits<int64_t>::max() / unit) {
    return value < 0 ? value : value * unit;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, " '", text, "': must be bytes, like 64m, or -1"));
}

// Numbers of one kind: the flag and where it goes.
template <typename Number>
absl::Status ReadNumber(const Arguments& flags, const char* flag, std::optional<Number>* out) {
  if (!flags.Has(flag)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t number, flags.Number(flag, 0));
  if (number < 0 && std::is_unsigned_v<Number>) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag, ": must not be negative"));
  }
  *out = static_cast<Number>(number);
  return absl::OkStatus();
}

absl::Status ReadSize(const Arguments& flags, const char* flag, std::optional<int64_t>* out) {
  if (!flags.Has(flag)) return absl::OkStatus();
  ASSIGN_OR_RETURN(*out, ParseSize(flag, flags.Text(flag)));
  return absl::OkStatus();
}

}  // namespace

absl::Span<const Flag> UpdateFlags() { return kUpdateFlags; }

absl::StatusOr<Resources> UpdatedResources(const Arguments& flags, Resources base) {
  RETURN_IF_ERROR(ReadSize(flags, "memory", &base.memory.limit));
  RETURN_IF_ERROR(ReadSize(flags, "memory-reservation", &base.memory.reservation));
  RETURN_IF_ERROR(ReadSize(flags, "memory-swap", &base.memory.swap));
  RETURN_IF_ERROR(ReadNumber(flags, "cpu-share", &base.cpu.shares));
  RETURN_IF_ERROR(ReadNumber(flags, "cpu-shares", &base.cpu.shares));
  RETURN_IF_ERROR(ReadNumber(flags, "cpu-quota", &base.cpu.quota));
  RETURN_IF_ERROR(ReadNumber(flags, "cpu-period", &base.cpu.period));
  RETURN_IF_ERROR(ReadNumber(flags, "cpu-burst", &base.cpu.burst));
  RETURN_IF_ERROR(ReadNumber(flags, "cpu-rt-period", &base.cpu.realtime_period));
  RETURN_IF_ERROR(ReadNumber(flags, "cpu-rt-runtime", &base.cpu.realtime_runtime));
  RETURN_IF_ERROR(ReadNumber(flags, "cpu-idle", &base.cpu.idle));
  RETURN_IF_ERROR(ReadNumber(flags, "pids-limit", &base.pids_limit));
  std::optional<int64_t> weight;
  RETURN_IF_ERROR(ReadNumber(flags, "blkio-weight", &weight));
  if (weight && (*weight < 10 || *weight > 1000)) {
    return absl::InvalidArgumentError("--blkio-weight: must be from 10 to 1000");
  }
  if (weight) base.block.weight = static_cast<uint16_t>(*weight);
  base.cpu.cpus = flags.Text("cpuset-cpus", base.cpu.cpus);
  base.cpu.mems = flags.Text("cpuset-mems", base.cpu.mems);
  return base;
}

}  // namespace cluster::oci
