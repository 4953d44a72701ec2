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

std::vector<Breach> Breaches(const std::vector<Threshold>& thresholds, const NodeNumbers& numbers) {
  std::vector<Breach> breaches;
  for (const Shortage shortage : kEvery) {
    Breach sharpest;
    bool crossed = false;
    for (const Threshold& threshold : thresholds) {
      Breach breach;
      if (threshold.shortage != shortage || !IsCrossed(threshold, numbers, &breach)) continue;
      if (!crossed || breach.threshold > sharpest.threshold) sharpest = breach;
      crossed = true;
    }
    if (crossed) breaches.push_back(sharpest);
  }
  return breaches;
}

}  // namespace cluster::node
