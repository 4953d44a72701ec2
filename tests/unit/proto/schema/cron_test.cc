#include "proto/schema/cron.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

absl::TimeZone Zone(const std::string& name) {
  const auto zone = FindTimeZone(name);
  EXPECT_TRUE(zone.ok()) << zone.status() << "; the tz database is needed (package tzdata)";
  return zone.value_or(absl::UTCTimeZone());
}

absl::Time Time(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << text << ": " << error;
  return time;
}

CronSchedule Schedule(const std::string& text) {
  auto schedule = CronSchedule::Parse(text);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return std::move(schedule).value();
}

// The next runs after `after`, in the zone's own time.
std::vector<std::string> Runs(const std::string& schedule, const std::string& after, int count,
                              const std::string& zone = "UTC") {
  const CronSchedule parsed = Schedule(schedule);
  const absl::TimeZone place = Zone(zone);
  std::vector<std::string> runs;
  absl::Time time = Time(after);
  for (int i = 0; i < count; ++i) {
    const auto next = parsed.Next(time, place);
    if (!next.has_value()) break;
    EXPECT_GT(*next, time);
    time = *next;
    runs.push_back(absl::FormatTime("%Y-%m-%d %H:%M%Ez", time, place));
  }
  return runs;
}

using Texts = std::vector<std::string>;

struct Case {
  const char* schedule;
  const char* after;
  Texts runs;
};

TEST(Cron, NextRuns) {
  const Case cases[] = {
      {"* * * * *", "2026-01-01T00:00:30Z", {"2026-01-01 00:01+00:00", "2026-01-01 00:02+00:00"}},
      {"* * * * *", "2026-01-01T00:01:00Z", {"2026-01-01 00:02+00:00"}},
      {"*/20 * * * *",
       "2026-01-01T00:15:00Z",
       {"2026-01-01 00:20+00:00", "2026-01-01 00:40+00:00", "2026-01-01 01:00+00:00"}},
      {"5/25 3 * * *",
       "2026-01-01T00:00:00Z",
       {"2026-01-01 03:05+00:00", "2026-01-01 03:30+00:00", "2026-01-01 03:55+00:00",
        "2026-01-02 03:05+00:00"}},
      {"0 9-17/4 * * 1-5",
       "2026-01-02T12:00:00Z",  // a Friday
       {"2026-01-02 13:00+00:00", "2026-01-02 17:00+00:00", "2026-01-05 09:00+00:00"}},
      {"0 0 1,15 * *",
       "2026-01-01T00:00:00Z",
       {"2026-01-15 00:00+00:00", "2026-02-01 00:00+00:00"}},
      {"0 0 ? * SUN", "2026-01-01T00:00:00Z", {"2026-01-04 00:00+00:00", "2026-01-11 00:00+00:00"}},
      {"0 0 * * 7", "2026-01-01T00:00:00Z", {"2026-01-04 00:00+00:00"}},
      {"0 0 * * 5-7",
       "2026-01-01T00:00:00Z",
       {"2026-01-02 00:00+00:00", "2026-01-03 00:00+00:00", "2026-01-04 00:00+00:00",
        "2026-01-09 00:00+00:00"}},
      {"15 10 * feb,Dec mon",
       "2026-01-01T00:00:00Z",
       {"2026-02-02 10:15+00:00", "2026-02-09 10:15+00:00"}},
      // Either of the two kinds of days is enough.
      {"0 0 13 * 5",
       "2026-01-01T00:00:00Z",
       {"2026-01-02 00:00+00:00", "2026-01-09 00:00+00:00", "2026-01-13 00:00+00:00",
        "2026-01-16 00:00+00:00"}},
      // `*/2` names days, so either is enough here too; `*/1` is `*`.
      {"0 0 */10 * 5",
       "2026-01-01T00:00:00Z",
       {"2026-01-02 00:00+00:00", "2026-01-09 00:00+00:00", "2026-01-11 00:00+00:00"}},
      {"0 0 */1 * 5", "2026-01-01T00:00:00Z", {"2026-01-02 00:00+00:00", "2026-01-09 00:00+00:00"}},
      {"59 23 31 12 *", "2026-12-31T23:59:00Z", {"2027-12-31 23:59+00:00"}},
      {"0 0 31 * *", "2026-01-31T00:00:00Z", {"2026-03-31 00:00+00:00", "2026-05-31 00:00+00:00"}},
      {"0 0 29 2 *",
       "2096-03-01T00:00:00Z",  // 2100 is no leap year
       {"2104-02-29 00:00+00:00"}},
      {"0 0 31 2 *", "2026-01-01T00:00:00Z", {}},
      {"0 0 30 2,4 *", "2026-01-01T00:00:00Z", {"2026-04-30 00:00+00:00"}},
      {"@hourly", "2026-01-01T00:00:00Z", {"2026-01-01 01:00+00:00"}},
      {"@daily", "2026-01-01T00:00:00Z", {"2026-01-02 00:00+00:00"}},
      {"@midnight", "2026-01-01T00:00:00Z", {"2026-01-02 00:00+00:00"}},
      {"@weekly", "2026-01-01T00:00:00Z", {"2026-01-04 00:00+00:00"}},
      {"@monthly", "2026-01-01T00:00:00Z", {"2026-02-01 00:00+00:00"}},
      {"@yearly", "2026-01-01T00:00:00Z", {"2027-01-01 00:00+00:00"}},
      {"@annually", "2026-01-01T00:00:00Z", {"2027-01-01 00:00+00:00"}},
  };
  for (const Case& each : cases) {
    const int count = each.runs.empty() ? 1 : static_cast<int>(each.runs.size());
    EXPECT_EQ(Runs(each.schedule, each.after, count), each.runs) << each.schedule;
  }
}

// Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
TEST(Cron, DaylightSavingForward) {
  const auto runs = [](const std::string& schedule, int count) {
    return Runs(schedule, "2026-03-28T12:00:00Z", count, "Europe/Berlin");
  };
  EXPECT_EQ(runs("30 2 * * *", 2), (Texts{"2026-03-30 02:30+02:00", "2026-03-31 02:30+02:00"}))
      << "there was no 02:30 on the 29th";
  EXPECT_EQ(runs("0 3 * * *", 1), (Texts{"2026-03-29 03:00+02:00"}));
  EXPECT_EQ(runs("30 1 * * *", 1), (Texts{"2026-03-29 01:30+01:00"}));
  EXPECT_EQ(Runs("30 * * * *", "2026-03-29T00:00:00Z", 3, "Europe/Berlin"),
            (Texts{"2026-03-29 01:30+01:00", "2026-03-29 03:30+02:00", "2026-03-29 04:30+02:00"}));
}

TEST(Cron, DaylightSavingBack) {
  const auto runs = [](const std::string& schedule, const std::string& after, int count) {
    return Runs(schedule, after, count, "Europe/Berlin");
  };
  EXPECT_EQ(runs("30 2 * * *", "2026-10-24T12:00:00Z", 2),
            (Texts{"2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"}))
      << "once, though there are two 02:30";
  EXPECT_EQ(runs("30 2 * * *", "2026-10-25T01:00:00Z", 1), (Texts{"2026-10-26 02:30+01:00"}))
      << "also when asked between the two";
  EXPECT_EQ(runs("*/30 2,3 * * *", "2026-10-25T00:15:00Z", 3),
            (Texts{"2026-10-25 02:30+02:00", "2026-10-25 03:00+01:00", "2026-10-25 03:30+01:00"}));
  EXPECT_EQ(runs("*/30 * * * *", "2026-10-24T23:45:00Z", 6),
            (Texts{"2026-10-25 02:00+02:00", "2026-10-25 02:30+02:00", "2026-10-25 02:00+01:00",
                   "2026-10-25 02:30+01:00", "2026-10-25 03:00+01:00", "2026-10-25 03:30+01:00"}))
      << "each hour that passes";
  EXPECT_EQ(runs("0 * * * *", "2026-10-25T00:30:00Z", 2),
            (Texts{"2026-10-25 02:00+01:00", "2026-10-25 03:00+01:00"}));
}

TEST(Cron, ZonesWithHalfHoursAndMissingMidnights) {
  // Lord Howe: half an hour back on 2026-04-05 at 02:00.
  EXPECT_EQ(Runs("45 * * * *", "2026-04-04T14:00:00Z", 3, "Australia/Lord_Howe"),
            (Texts{"2026-04-05 01:45+11:00", "2026-04-05 01:45+10:30", "2026-04-05 02:45+10:30"}));
  // Cairo: midnight of 2026-04-24 does not exist.
  EXPECT_EQ(Runs("0 0 * * *", "2026-04-23T12:00:00Z", 1, "Africa/Cairo"),
            (Texts{"2026-04-25 00:00+03:00"}));
}

TEST(Cron, LatestIsTheLastOfAllThatWereMissed) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::Time start = Time("2026-01-01T00:00:00Z");
  for (const char* text : {"* * * * *", "*/7 3 * * *", "0 0 1 1 *", "* * * 1 *", "30 2 29 2 *"}) {
    const CronSchedule schedule = Schedule(text);
    // Against walking through all of them.
    std::optional<absl::Time> last;
    absl::Time at = start;
    const absl::Time until = Time("2026-02-03T04:05:06Z");
    for (auto next = schedule.Next(at, utc); next.has_value() && *next <= until;
         next = schedule.Next(at, utc)) {
      last = at = *next;
    }
    EXPECT_EQ(schedule.Latest(start, until, utc), last) << text;
  }
  const CronSchedule daily = Schedule("@daily");
  const absl::Time run = Time("2026-01-02T00:00:00Z");
  EXPECT_EQ(daily.Latest(start, run, utc), run);
  EXPECT_EQ(daily.Latest(start, run - absl::Seconds(1), utc), std::nullopt);
  EXPECT_EQ(daily.Latest(run, run, utc), std::nullopt) << "a run is not missed once it has begun";
  EXPECT_EQ(daily.Latest(run - absl::Nanoseconds(1), run, utc), run);
  EXPECT_EQ(Schedule("0 0 31 2 *").Latest(start, run, utc), std::nullopt);
}

TEST(Cron, LatestKnowsHoursThatComeTwice) {
  const absl::TimeZone berlin = Zone("Europe/Berlin");
  const CronSchedule schedule = Schedule("30 2 * * *");
  EXPECT_EQ(schedule.Latest(Time("2026-10-20T00:00:00Z"), Time("2026-10-25T12:00:00Z"), berlin),
            Time("2026-10-25T00:30:00Z"));
}

TEST(Cron, RefusesWhatIsNoSchedule) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "\"\" has 0 fields; write five: minute, hour, day of month, month, day of week"},
      {"* * * *",
       "\"* * * *\" has 4 fields; write five: minute, hour, day of month, month, day of week"},
      {"60 * * * *", "\"60\" is no minute; use 0 to 59"},
      {"* 24 * * *", "\"24\" is no hour; use 0 to 23"},
      {"* * 0 * *", "\"0\" is no day of a month; use 1 to 31"},
      {"* * * 13 *", "\"13\" is no month; use 1 to 12, or a name of three letters"},
      {"* * * * 8", "\"8\" is no day of the week; use 0 to 7, or a name of three letters"},
      {"* * * * mo", "\"mo\" is no day of the week; use 0 to 7, or a name of three letters"},
      {"-1 * * * *", "\"\" is no minute; use 0 to 59"},
      {"+1 * * * *", "\"+1\" is no minute; use 0 to 59"},
      {"9-5 * * * *", "\"9-5\" ends before it begins; write the smaller one first"},
      {"*/0 * * * *", "\"0\" is no step; use a number from 1 on"},
      {"*/x * * * *", "\"x\" is no step; use a number from 1 on"},
      {"1-2-3 * * * *",
       "\"1-2-3\" is no part of a schedule; write VALUE, FROM-TO or *, and perhaps /STEP"},
      {"1,,2 * * * *", "\"\" is no minute; use 0 to 59"},
      {"@often",
       "\"@often\" is not known; use five fields, or @hourly, @daily, @weekly, @monthly or "
       "@yearly"},
      {"TZ=UTC * * * * *", "\"TZ=UTC * * * * *\" names a time zone; set timeZone instead"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(CronSchedule::Parse(text).status().message(), message) << text;
  }
}

TEST(Cron, KnowsTheZonesOfTheDatabaseAndNoOthers) {
  for (const char* name :
       {"UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3"}) {
    EXPECT_TRUE(FindTimeZone(name).ok()) << name;
  }
  for (const char* name : {"", "Local", "localtime", "Fixed/UTC+01:00:00", "/etc/localtime",
                           "../zoneinfo/UTC", "Mars/Olympus", ":UTC"}) {
    EXPECT_FALSE(FindTimeZone(name).ok()) << name;
  }
  EXPECT_EQ(FindTimeZone("Mars/Olympus").status().message(),
            "\"Mars/Olympus\" is no name of a time zone; use one of the tz database, such as "
            "Europe/Berlin");
}

}  // namespace
}  // namespace cluster
