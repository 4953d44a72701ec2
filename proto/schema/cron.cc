#include "proto/schema/cron.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace cluster {
namespace {

// A 29th of February can be eight years after the last.
constexpr int kYears = 10;

constexpr std::array<absl::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<absl::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                        "thu", "fri", "sat"};
constexpr std::array<std::pair<absl::string_view, absl::string_view>, 7> kWords = {
    {{"@yearly", "0 0 1 1 *"},
     {"@annually", "0 0 1 1 *"},
     {"@monthly", "0 0 1 * *"},
     {"@weekly", "0 0 * * 0"},
     {"@daily", "0 0 * * *"},
     {"@midnight", "0 0 * * *"},
     {"@hourly", "0 * * * *"}}};

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

}  // namespace

struct CronSchedule::Range {
  absl::string_view name;
  int low;
  int high;
  // Of the values from `low` on; may be empty.
  std::vector<absl::string_view> words = {};

  absl::StatusOr<int> Value(absl::string_view text) const;
};

absl::StatusOr<int> CronSchedule::Range::Value(absl::string_view text) const {
  for (size_t i = 0; i < words.size(); ++i) {
    if (absl::EqualsIgnoreCase(text, words[i])) return low + static_cast<int>(i);
  }
  int value = 0;
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(text, &value) || value < low || value > high) {
    return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is no ", name, "; use ", low,
                                                   " to ", high,
                                                   words.empty() ? ""
                                                                 : ", or a name of three "
                                                                   "letters"));
  }
  return value;
}

int CronSchedule::Field::From(int from) const {
  for (int value = from; value < static_cast<int>(values.size()); ++value) {
    if (values[static_cast<size_t>(value)]) return value;
  }
  return -1;
}

absl::Status CronSchedule::AddPart(absl::string_view part, const Range& range, Field* field) {
  const std::vector<absl::string_view> stepped = absl::StrSplit(part, '/');
  const std::vector<absl::string_view> ends = absl::StrSplit(stepped[0], '-');
  if (stepped.size() > 2 || ends.size() > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(part),
                     " is no part of a schedule; write VALUE, FROM-TO or *, and "
                     "perhaps /STEP"));
  }
  int step = 1;
  if (stepped.size() == 2 && (!absl::SimpleAtoi(stepped[1], &step) || step < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(stepped[1]), " is no step; use a number from 1 on"));
  }
  int first = range.low;
  int last = range.high;
  const bool any = stepped[0] == "*" || stepped[0] == "?";
  if (!any) {
    ASSIGN_OR_RETURN(first, range.Value(ends[0]));
    if (ends.size() == 2) {
      ASSIGN_OR_RETURN(last, range.Value(ends[1]));
    } else if (stepped.size() == 1) {
      last = first;
    }
  }
  if (first > last) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(part), " ends before it begins; write the smaller one first"));
  }
  field->any = field->any || (any && step == 1);
  for (int value = first; value <= last; value += step) {
    field->values.set(static_cast<size_t>(value));
  }
  return absl::OkStatus();
}

absl::StatusOr<CronSchedule::Field> CronSchedule::ParseField(absl::string_view text,
                                                             const Range& range) {
  Field field;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    RETURN_IF_ERROR(AddPart(part, range, &field));
  }
  return field;
}

absl::StatusOr<CronSchedule> CronSchedule::Parse(absl::string_view text) {
  const absl::string_view given = absl::StripAsciiWhitespace(text);
  absl::string_view fields_text = given;
  for (const auto& [word, meaning] : kWords) {
    if (given == word) fields_text = meaning;
  }
  if (absl::StartsWith(fields_text, "@")) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(given),
                     " is not known; use five fields, or @hourly, @daily, @weekly, "
                     "@monthly or @yearly"));
  }
  if (absl::StrContains(fields_text, "TZ=")) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(given), " names a time zone; set timeZone instead"));
  }
  const std::vector<absl::string_view> fields =
      absl::StrSplit(fields_text, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (fields.size() != 5) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(given), " has ", fields.size(),
                     " fields; write five: minute, hour, day of month, month, day of week"));
  }
  CronSchedule schedule;
  ASSIGN_OR_RETURN(schedule.minutes_, ParseField(fields[0], {"minute", 0, 59}));
  ASSIGN_OR_RETURN(schedule.hours_, ParseField(fields[1], {"hour", 0, 23}));
  ASSIGN_OR_RETURN(schedule.days_, ParseField(fields[2], {"day of a month", 1, 31}));
  ASSIGN_OR_RETURN(schedule.months_,
                   ParseField(fields[3], {"month", 1, 12, {kMonths.begin(), kMonths.end()}}));
  ASSIGN_OR_RETURN(
      schedule.weekdays_,
      ParseField(fields[4], {"day of the week", 0, 7, {kWeekdays.begin(), kWeekdays.end()}}));
  if (schedule.weekdays_.values[7]) schedule.weekdays_.values.set(0);
  return schedule;
}

bool CronSchedule::DayFits(absl::CivilDay day) const {
  const absl::Weekday weekday = absl::GetWeekday(day);
  const size_t number = weekday == absl::Weekday::sunday ? 0 : static_cast<size_t>(weekday) + 1;
  const bool day_of_month = days_.values[static_cast<size_t>(day.day())];
  const bool day_of_week = weekdays_.values[number];
  return days_.any || weekdays_.any ? day_of_month && day_of_week : day_of_month || day_of_week;
}

std::optional<absl::CivilMinute> CronSchedule::FirstOfDay(absl::CivilMinute from) const {
  const absl::CivilDay day(from);
  for (int hour = hours_.From(from.hour()); hour >= 0; hour = hours_.From(hour + 1)) {
    const int minute = minutes_.From(hour == from.hour() ? from.minute() : 0);
    if (minute < 0) continue;
    return absl::CivilMinute(day.year(), day.month(), day.day(), hour, minute);
  }
  return std::nullopt;
}

std::optional<absl::CivilMinute> CronSchedule::FirstFrom(absl::CivilMinute from) const {
  const absl::CivilYear end = absl::CivilYear(from) + kYears;
  while (absl::CivilYear(from) < end) {
    const absl::CivilMonth month(from);
    if (!months_.values[static_cast<size_t>(month.month())]) {
      from = absl::CivilMinute(month + 1);
      continue;
    }
    const absl::CivilDay day(from);
    if (DayFits(day)) {
      if (const auto found = FirstOfDay(from); found.has_value()) return found;
    }
    from = absl::CivilMinute(day + 1);
  }
  return std::nullopt;
}

std::optional<absl::Time> CronSchedule::InSecondHour(absl::Time after, absl::Time before,
                                                     const absl::TimeZone& zone) const {
  absl::TimeZone::CivilTransition change;
  if (!zone.PrevTransition(before, &change) || change.to >= change.from) return std::nullopt;
  const absl::Time began = zone.At(change.to).trans;
  absl::CivilMinute from(change.to);
  if (after >= began) from = absl::CivilMinute(zone.At(after).cs) + 1;
  const auto minute = FirstFrom(from);
  if (!minute.has_value() || absl::CivilSecond(*minute) >= change.from) return std::nullopt;
  const absl::Time run = zone.At(absl::CivilSecond(*minute)).post;
  if (run <= after || run >= before) return std::nullopt;
  return run;
}

std::optional<absl::Time> CronSchedule::Next(absl::Time after, const absl::TimeZone& zone) const {
  auto minute = FirstFrom(absl::CivilMinute(zone.At(after).cs));
  while (minute.has_value()) {
    const absl::TimeZone::TimeInfo info = zone.At(absl::CivilSecond(*minute));
    if (info.kind != absl::TimeZone::TimeInfo::SKIPPED && info.pre > after) {
      if (!hours_.any) return info.pre;
      return InSecondHour(after, info.pre, zone).value_or(info.pre);
    }
    minute = FirstFrom(*minute + 1);
  }
  return std::nullopt;
}

std::optional<absl::Time> CronSchedule::Latest(absl::Time after, absl::Time until,
                                               const absl::TimeZone& zone) const {
  const auto is_due = [&](absl::Time from) {
    const auto next = Next(from, zone);
    return next.has_value() && *next <= until;
  };
  if (!is_due(after)) return std::nullopt;
  // A run comes after `after`, none after `before`; two are never in one minute.
  absl::Time before = until;
  while (before - after > absl::Minutes(1)) {
    const absl::Time middle = after + (before - after) / 2;
    (is_due(middle) ? after : before) = middle;
  }
  return Next(after, zone);
}

absl::StatusOr<absl::TimeZone> FindTimeZone(const std::string& name) {
  const bool well_formed = !name.empty() &&
                           absl::ascii_isalpha(static_cast<unsigned char>(name[0])) &&
                           std::all_of(name.begin(), name.end(), [](char c) {
                             return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                                    absl::StrContains("_+-/", absl::string_view(&c, 1));
                           });
  absl::TimeZone zone;
  // The latter are what the library knows besides the database: the machine's own, and any offset.
  const bool known = well_formed && !absl::EqualsIgnoreCase(name, "local") && name != "localtime" &&
                     !absl::StartsWith(name, "Fixed/") && absl::LoadTimeZone(name, &zone);
  if (known) return zone;
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(name),
                   " is no name of a time zone; use one of the tz database, such as "
                   "Europe/Berlin"));
}

}  // namespace cluster
