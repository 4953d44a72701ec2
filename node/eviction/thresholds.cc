#include "node/eviction/thresholds.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

constexpr Shortage kEvery[] = {Shortage::kMemory, Shortage::kMemoryStall, Shortage::kDisk,
                               Shortage::kInodes, Shortage::kPids};

absl::StatusOr<Threshold> ParseThreshold(absl::string_view word) {
  const bool stall = word.find('>') != absl::string_view::npos;
  const std::vector<absl::string_view> parts = absl::StrSplit(word, absl::ByAnyChar("<>"));
  const auto shortage = std::find_if(std::begin(kEvery), std::end(kEvery), [&](Shortage each) {
    return SignalName(each) == parts[0] && (each == Shortage::kMemoryStall) == stall;
  });
  if (parts.size() != 2 || shortage == std::end(kEvery)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "eviction threshold '", word, "': write memory.available<AMOUNT, nodefs.available<AMOUNT, ",
        "nodefs.inodesFree<AMOUNT, pid.available<AMOUNT or memory.stall>PERCENT; an amount may be "
        "a ",
        "percentage"));
  }
  Threshold threshold;
  threshold.shortage = *shortage;
  absl::string_view amount = parts[1];
  if (absl::ConsumeSuffix(&amount, "%")) {
    if (absl::SimpleAtod(amount, &threshold.percent) && threshold.percent >= 0 &&
        threshold.percent <= 100) {
      return threshold;
    }
  } else if (!stall) {
    const auto quantity = QuantityValue(amount);
    if (quantity.ok() && *quantity >= 0) {
      threshold.amount = *quantity;
      return threshold;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("eviction threshold '", word, "': '", parts[1],
                                                 "' is neither an amount nor 0% to 100%"));
}

const Shortage* FindSignal(absl::string_view name) {
  const auto* found = std::find_if(std::begin(kEvery), std::end(kEvery),
                                   [&](Shortage each) { return SignalName(each) == name; });
  return found == std::end(kEvery) ? nullptr : found;
}

struct Stock {
  int64_t total = 0;
  int64_t left = 0;
};

Stock StockOf(Shortage shortage, const NodeNumbers& numbers) {
  switch (shortage) {
    case Shortage::kMemory:
      return {numbers.memory_total, numbers.memory_available};
    case Shortage::kDisk:
      return {numbers.disk_total, numbers.disk_available};
    case Shortage::kInodes:
      return {numbers.inodes_total, numbers.inodes_free};
    case Shortage::kPids:
      return {numbers.pids_total, numbers.pids_available};
    case Shortage::kMemoryStall:
      return {};
  }
  return {};
}

// Nothing when the threshold is kept.
bool IsCrossed(const Threshold& threshold, const NodeNumbers& numbers, Breach* breach) {
  breach->shortage = threshold.shortage;
  breach->soft = threshold.soft();
  if (threshold.shortage == Shortage::kMemoryStall) {
    breach->threshold = std::llround(threshold.percent);
    breach->observed = std::llround(numbers.memory_stall);
    return numbers.memory_stall > threshold.percent;
  }
  const Stock stock = StockOf(threshold.shortage, numbers);
  if (stock.total <= 0) return false;
  breach->threshold =
      threshold.percent > 0
          ? static_cast<int64_t>(static_cast<double>(stock.total) / 100.0 * threshold.percent)
          : threshold.amount;
  breach->observed = stock.left;
  return stock.left < breach->threshold;
}

}  // namespace

absl::string_view SignalName(Shortage shortage) {
  switch (shortage) {
    case Shortage::kMemory:
      return "memory.available";
    case Shortage::kMemoryStall:
      return "memory.stall";
    case Shortage::kDisk:
      return "nodefs.available";
    case Shortage::kInodes:
      return "nodefs.inodesFree";
    case Shortage::kPids:
      return "pid.available";
  }
  return "";
}

absl::string_view ResourceName(Shortage shortage) {
  switch (shortage) {
    case Shortage::kMemory:
    case Shortage::kMemoryStall:
      return "memory";
    case Shortage::kDisk:
      return "ephemeral-storage";
    case Shortage::kInodes:
      return "inodes";
    case Shortage::kPids:
      return "pids";
  }
  return "";
}

absl::string_view ConditionName(Shortage shortage) {
  switch (shortage) {
    case Shortage::kMemory:
    case Shortage::kMemoryStall:
      return "MemoryPressure";
    case Shortage::kDisk:
    case Shortage::kInodes:
      return "DiskPressure";
    case Shortage::kPids:
      return "PIDPressure";
  }
  return "";
}

std::string AmountText(Shortage shortage, int64_t amount) {
  switch (shortage) {
    case Shortage::kMemory:
    case Shortage::kDisk:
      // Whole Ki: exact bytes tell a reader nothing.
      return FormatBytes(amount >> 10 << 10);
    case Shortage::kMemoryStall:
      return absl::StrCat(amount, "%");
    case Shortage::kInodes:
    case Shortage::kPids:
      return absl::StrCat(amount);
  }
  return "";
}

std::vector<Threshold> DefaultThresholds() {
  return {{Shortage::kMemory, 100 << 20, 0},
          {Shortage::kDisk, 0, 10},
          {Shortage::kInodes, 0, 5},
          {Shortage::kPids, 0, 10}};
}

absl::StatusOr<std::vector<Threshold>> ParseThresholds(absl::string_view text) {
  std::vector<Threshold> thresholds;
  for (absl::string_view word : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    ASSIGN_OR_RETURN(thresholds.emplace_back(), ParseThreshold(absl::StripAsciiWhitespace(word)));
  }
  return thresholds;
}

absl::StatusOr<Graces> ParseGraces(absl::string_view text) {
  Graces graces;
  for (absl::string_view word : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    word = absl::StripAsciiWhitespace(word);
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(word, absl::MaxSplits('=', 1));
    const Shortage* signal = FindSignal(parts.first);
    const auto grace = ParseGoDuration(std::string(parts.second));
    if (signal == nullptr || !grace.ok() || *grace <= absl::ZeroDuration()) {
      return absl::InvalidArgumentError(
          absl::StrCat("eviction grace period '", word,
                       "': write the signal and how long, as in memory.available=1m30s"));
    }
    if (!graces.emplace(*signal, *grace).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("eviction grace period '", word, "': ", parts.first, " has one already"));
    }
  }
  return graces;
}

absl::StatusOr<std::vector<Threshold>> Soften(std::vector<Threshold> thresholds,
                                              const Graces& graces) {
  for (Threshold& threshold : thresholds) {
    const auto grace = graces.find(threshold.shortage);
    if (grace == graces.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the soft eviction threshold of ", SignalName(threshold.shortage),
                       " has no grace period: add ", SignalName(threshold.shortage),
                       "=DURATION to --eviction-soft-grace-period"));
    }
    threshold.grace = grace->second;
  }
  for (const auto& grace : graces) {
    const auto is_its = [&](const Threshold& each) { return each.shortage == grace.first; };
    if (std::any_of(thresholds.begin(), thresholds.end(), is_its)) continue;
    return absl::InvalidArgumentError(absl::StrCat("--eviction-soft-grace-period names ",
                                                   SignalName(grace.first),
                                                   ", for which --eviction-soft has no threshold"));
  }
  return thresholds;
}

CrossedThresholds::CrossedThresholds(std::vector<Threshold> thresholds)
    : thresholds_(std::move(thresholds)),
      crossed_since_(thresholds_.size(), absl::InfiniteDuration()) {}

std::vector<Threshold> CrossedThresholds::Due(const NodeNumbers& numbers, absl::Duration now) {
  std::vector<Threshold> due;
  for (size_t i = 0; i < thresholds_.size(); ++i) {
    Breach breach;
    if (!IsCrossed(thresholds_[i], numbers, &breach)) {
      crossed_since_[i] = absl::InfiniteDuration();
      continue;
    }
    crossed_since_[i] = std::min(crossed_since_[i], now);
    if (now - crossed_since_[i] >= thresholds_[i].grace) due.push_back(thresholds_[i]);
  }
  return due;
}

std::vector<Breach> Breaches(const std::vector<Threshold>& thresholds, const NodeNumbers& numbers) {
  std::vector<Breach> breaches;
  for (const Shortage shortage : kEvery) {
    Breach sharpest;
    bool crossed = false;
    for (const Threshold& threshold : thresholds) {
      Breach breach;
      if (threshold.shortage != shortage || !IsCrossed(threshold, numbers, &breach)) continue;
      const bool harder = sharpest.soft && !breach.soft;
      const bool sharper = sharpest.soft == breach.soft && breach.threshold > sharpest.threshold;
      if (!crossed || harder || sharper) sharpest = breach;
      crossed = true;
    }
    if (crossed) breaches.push_back(sharpest);
  }
  return breaches;
}

}  // namespace cluster::node
