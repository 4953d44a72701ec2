#include "proto/schema/scalars.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "proto/schema/value_text.h"

namespace cluster {
namespace {

bool AllDigits(absl::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return true;
}

// Years 1 to 9999, what google.protobuf.Timestamp holds.
constexpr int64_t kFirstSecond = -62'135'596'800;
constexpr int64_t kLastSecond = 253'402'300'799;

}  // namespace

bool IsBareInt(absl::string_view text) {
  int32_t value = 0;
  return absl::SimpleAtoi(text, &value) && absl::StrCat(value) == text;
}

absl::StatusOr<int32_t> ScaleIntOrString(absl::string_view text, int32_t total, Rounding rounding) {
  absl::string_view digits = text;
  const bool percent = absl::ConsumeSuffix(&digits, "%");
  int32_t number = 0;
  if (!AllDigits(digits) || !absl::SimpleAtoi(digits, &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat(QuotedStart(text),
                     " is neither a whole number from 0 nor a percentage; write 3 or \"25%\""));
  }
  if (!percent) return number;
  const int64_t product = int64_t{number} * total;
  const int64_t scaled = rounding == Rounding::kUp ? (product + 99) / 100 : product / 100;
  if (scaled > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat(QuotedStart(text), " of ", total,
                                                   " is too large; write a smaller percentage"));
  }
  return static_cast<int32_t>(scaled);
}

absl::StatusOr<absl::Duration> ParseGoDuration(absl::string_view text) {
  // Both ways to write the micro sign.
  const std::string ascii = absl::StrReplaceAll(text, {{"\u00b5s", "us"}, {"\u03bcs", "us"}});
  const bool plain = !ascii.empty() && ascii.find_first_not_of("+-.0123456789numsh") == ascii.npos;
  absl::Duration duration;
  if (!plain || !absl::ParseDuration(ascii, &duration)) {
    return absl::InvalidArgumentError(
        absl::StrCat(QuotedStart(text), " is not a duration; write it like 1h30m, 10s or 250ms"));
  }
  if (absl::AbsDuration(duration) > absl::Nanoseconds(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError(
        absl::StrCat(QuotedStart(text), " is too long; durations end at 292 years"));
  }
  return duration;
}

absl::StatusOr<google::protobuf::Timestamp> ParseTimestamp(absl::string_view text) {
  // abseil also takes blanks, "infinite-future" and years of any size.
  const bool shape = text.size() >= 20 && text[4] == '-' && text[10] == 'T' &&
                     absl::ascii_isdigit(text[0]) && absl::ascii_isalnum(text.back()) &&
                     text.find_first_of(" \t\r\n") == text.npos;
  absl::Time time;
  std::string error;
  if (!shape || !absl::ParseTime(absl::RFC3339_full, text, &time, &error) ||
      absl::ToUnixSeconds(time) < kFirstSecond || absl::ToUnixSeconds(time) > kLastSecond) {
    return absl::InvalidArgumentError(absl::StrCat(
        QuotedStart(text), " is not a time; write it in RFC 3339 form, like 2026-01-31T12:00:00Z"));
  }
  return ToTimestamp(time);
}

std::string FormatTimestamp(const google::protobuf::Timestamp& timestamp) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ", ToTime(timestamp), absl::UTCTimeZone());
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(absl::ToUnixSeconds(time));
  timestamp.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(timestamp.seconds()))));
  return timestamp;
}

absl::StatusOr<std::string> DecodeBase64(absl::string_view text) {
  std::string compact;
  compact.reserve(text.size());
  bool alphabet = true;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    alphabet = alphabet && (absl::ascii_isalnum(c) || c == '+' || c == '/' || c == '=');
    compact.push_back(c);
  }
  std::string bytes;
  if (!alphabet || compact.size() % 4 != 0 || !absl::Base64Unescape(compact, &bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(QuotedStart(text), " is not base64; encode it with: base64 -w0"));
  }
  return bytes;
}

std::string EncodeBase64(absl::string_view bytes) { return absl::Base64Escape(bytes); }

}  // namespace cluster
