#include "tests/sim/history.h"

#include <functional>
#include <map>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace cluster::sim {
namespace {

// One number of a climate.
struct Field {
  const char* name;
  std::function<int64_t(Climate)> get;
  std::function<void(int64_t, Climate*)> set;
};

int64_t Number(absl::Duration duration) { return absl::ToInt64Nanoseconds(duration); }

template <typename Part>
Field Time(const char* name, absl::Duration Part::*member, Part& (*part)(Climate&)) {
  return {name, [=](Climate climate) { return Number(part(climate).*member); },
          [=](int64_t number, Climate* climate) {
            part(*climate).*member = absl::Nanoseconds(number);
          }};
}

template <typename Part, typename Integer>
Field Integral(const char* name, Integer Part::*member, Part& (*part)(Climate&)) {
  return {name, [=](Climate climate) { return static_cast<int64_t>(part(climate).*member); },
          [=](int64_t number, Climate* climate) {
            part(*climate).*member = static_cast<Integer>(number);
          }};
}

Climate& Own(Climate& climate) { return climate; }
StoreWeather& Store(Climate& climate) { return climate.store; }
controller::SessionOptions& Sessions(Climate& climate) { return climate.controller.sessions; }
controller::LoopOptions& LoopOf(Climate& climate) { return climate.controller.loop; }
store::CompactionOptions& Compaction(Climate& climate) { return climate.controller.compaction; }
CacheOptions& CacheOf(Climate& climate) { return climate.controller.cache; }

// Everything that MakePlan decides on.
const std::vector<Field>& Fields() {
  static const auto* const fields = new std::vector<Field>{
      Integral("nodes", &Climate::nodes, Own),
      Integral("latency", &Climate::latency, Own),
      {"skew-millionths",
       [](Climate climate) { return static_cast<int64_t>(Own(climate).skew * 1e6 + 0.5); },
       [](int64_t number, Climate* climate) { climate->skew = static_cast<double>(number) / 1e6; }},
      Time("pod-period", &Climate::pod_period, Own),
      Time("wall", &Climate::wall, Own),
      Integral("commit", &StoreWeather::commit, Store),
      Integral("delivery", &StoreWeather::delivery, Store),
      Time("beat", &controller::SessionOptions::beat, Sessions),
      Time("margin", &controller::SessionOptions::margin, Sessions),
      Time("loop-period", &controller::LoopOptions::period, LoopOf),
      Time("compaction-keep", &store::CompactionOptions::keep, Compaction),
      Integral("compaction-revisions", &store::CompactionOptions::keep_revisions, Compaction),
      Integral("compaction-slack", &store::CompactionOptions::slack, Compaction),
      Integral("window-revisions", &CacheOptions::window_revisions, CacheOf),
      Time("window-age", &CacheOptions::window_age, CacheOf),
      Time("pack-round", &CacheOptions::pack_round, CacheOf),
      Integral("lasting-bytes", &CacheOptions::lasting_bytes, CacheOf),
  };
  return *fields;
}

std::string WordOf(ActionKind kind) { return absl::StrReplaceAll(NameOf(kind), {{" ", "-"}}); }

absl::StatusOr<ActionKind> KindOfWord(absl::string_view word) {
  for (int kind = 0; kind < kActionKinds; ++kind) {
    if (WordOf(static_cast<ActionKind>(kind)) == word) return static_cast<ActionKind>(kind);
  }
  return absl::InvalidArgumentError("");
}

// The numbers of a line, from that word on.
absl::StatusOr<std::vector<int64_t>> Numbers(const std::vector<std::string>& words, size_t from,
                                             size_t count) {
  std::vector<int64_t> numbers(count);
  if (words.size() != from + count) return absl::InvalidArgumentError("");
  for (size_t i = 0; i < count; ++i) {
    if (!absl::SimpleAtoi(words[from + i], &numbers[i])) return absl::InvalidArgumentError("");
  }
  return numbers;
}

absl::Status ReadAction(const std::vector<std::string>& words, Plan* plan) {
  Action action;
  if (words.size() != 4 || !absl::SimpleAtoi(words[1], &action.at) ||
      !absl::SimpleAtoi(words[3], &action.draw)) {
    return absl::InvalidArgumentError("");
  }
  ASSIGN_OR_RETURN(action.kind, KindOfWord(words[2]));
  plan->actions.push_back(action);
  return absl::OkStatus();
}

absl::Status ReadLine(const std::vector<std::string>& words, Plan* plan) {
  if (words[0] == "action") return ReadAction(words, plan);
  if (words[0] == "episode") {
    ASSIGN_OR_RETURN(const auto times, Numbers(words, 1, 5));
    plan->episodes.push_back({times[0], times[1], times[2], times[3], times[4]});
    return absl::OkStatus();
  }
  if (words[0] == "seed") {
    return words.size() == 2 && absl::SimpleAtoi(words[1], &plan->seed)
               ? absl::OkStatus()
               : absl::InvalidArgumentError("");
  }
  ASSIGN_OR_RETURN(const auto number, Numbers(words, 1, 1));
  if (words[0] == "end") {
    plan->end = number[0];
    return absl::OkStatus();
  }
  for (const Field& field : Fields()) {
    if (words[0] != field.name) continue;
    field.set(number[0], &plan->climate);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("");
}

}  // namespace

std::string PrintHistory(const Plan& plan) {
  std::string text = absl::StrCat("seed ", plan.seed, "\n");
  for (const Field& field : Fields()) {
    absl::StrAppend(&text, field.name, " ", field.get(plan.climate), "\n");
  }
  for (const Episode& each : plan.episodes) {
    absl::StrAppend(&text, "episode ", each.begin, " ", each.calm, " ", each.fine, " ", each.still,
                    " ", each.rest, "\n");
  }
  for (const Action& action : plan.actions) {
    absl::StrAppend(&text, "action ", action.at, " ", WordOf(action.kind), " ", action.draw, "\n");
  }
  return absl::StrCat(text, "end ", plan.end, "\n");
}

absl::StatusOr<Plan> ReadHistory(const std::string& text) {
  Plan plan;
  int number = 0;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const absl::Status status = ReadLine(absl::StrSplit(line, ' '), &plan);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("line %d: \"%s\" says nothing of a history", number, line));
    }
  }
  return plan;
}

}  // namespace cluster::sim
