#include "cli/output/duration.h"

#include "absl/strings/str_cat.h"

#include "proto/schema/scalars.h"

namespace cluster::cli {
namespace {

// "3m20s"; the second part is left out when it is zero.
std::string TwoParts(int64_t whole, absl::string_view unit, int64_t rest,
                     absl::string_view rest_unit) {
  if (rest == 0) return absl::StrCat(whole, unit);
  return absl::StrCat(whole, unit, rest, rest_unit);
}

}  // namespace

// The steps are those of k8s.io/apimachinery/pkg/util/duration.HumanDuration: two units only while
// the second one still matters.
std::string HumanDuration(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds <= 0) return "0s";
  if (seconds < 120) return absl::StrCat(seconds, "s");
  const int64_t minutes = seconds / 60;
  if (minutes < 10) return TwoParts(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return absl::StrCat(minutes, "m");
  const int64_t hours = minutes / 60;
  if (hours < 8) return TwoParts(hours, "h", minutes % 60, "m");
  if (hours < 48) return absl::StrCat(hours, "h");
  const int64_t days = hours / 24;
  if (days < 8) return TwoParts(days, "d", hours % 24, "h");
  if (days < 2 * 365) return absl::StrCat(days, "d");
  if (days < 8 * 365) return TwoParts(days / 365, "y", days % 365, "d");
  return absl::StrCat(days / 365, "y");
}

std::string Age(const google::protobuf::Timestamp& time, absl::Time now) {
  if (time.seconds() == 0) return "<unknown>";
  return HumanDuration(now - ToTime(time));
}

}  // namespace cluster::cli
