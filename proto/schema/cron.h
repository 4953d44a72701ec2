// Schedules as crontab(5) writes them: five fields, or a word such as @daily. Values; any thread.
//
// Minute, hour, day of month, month, day of week; each a list of `*`, `?`, `a`, `a-b`, all of them
// with an optional `/step` (`a/step` goes on to the end). Months and days of the week also by the
// first three letters of their names; Sunday is 0 and 7. As in every cron, a day fits when either
// of day-of-month and day-of-week does, unless one of them is `*` or `?`, and then both must.
#pragma once

#include <bitset>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace cluster {

class CronSchedule {
 public:
  // InvalidArgument with one sentence that quotes the part that is wrong.
  static absl::StatusOr<CronSchedule> Parse(absl::string_view text);

  // The first run after `after`; nothing where the calendar has none for ten years ("0 0 31 2 *").
  //
  // Where clocks are put forward, a run in the hour that is left out does not take place. Where
  // they are put back, a run in the hour that comes twice takes place the first time only, unless
  // the field of hours is `*`: that means each hour that passes.
  std::optional<absl::Time> Next(absl::Time after, const absl::TimeZone& zone) const;

  // The latest run in (after, until], or nothing. Costs the same however many there were.
  std::optional<absl::Time> Latest(absl::Time after, absl::Time until,
                                   const absl::TimeZone& zone) const;

 private:
  struct Field {
    std::bitset<64> values;
    bool any = false;  // `*` or `?`
    // The first value of at least `from`, or -1.
    int From(int from) const;
  };
  struct Range;

  static absl::StatusOr<Field> ParseField(absl::string_view text, const Range& range);
  static absl::Status AddPart(absl::string_view part, const Range& range, Field* field);
  bool DayFits(absl::CivilDay day) const;
  // The first minute of the calendar from `from` on that fits.
  std::optional<absl::CivilMinute> FirstFrom(absl::CivilMinute from) const;
  std::optional<absl::CivilMinute> FirstOfDay(absl::CivilMinute from) const;
  // A run in the hour that comes a second time, after `after` and before `before`.
  std::optional<absl::Time> InSecondHour(absl::Time after, absl::Time before,
                                         const absl::TimeZone& zone) const;

  Field minutes_;
  Field hours_;
  Field days_;
  Field months_;
  Field weekdays_;
};

// By its name in the tz database. InvalidArgument, in one sentence, for an unknown one and for what
// would depend on the machine ("Local").
absl::StatusOr<absl::TimeZone> FindTimeZone(const std::string& name);

}  // namespace cluster
