// Quantities. The value is kept in billionths in 128 bits: 2^63 * 10^9 < 2^93, so nothing overflows
// between the checks.
#include <array>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "proto/schema/scalars.h"
#include "proto/schema/value_text.h"

namespace cluster {
namespace {

using Int128 = __int128;

constexpr Int128 kBillion = 1'000'000'000;
constexpr Int128 kMost = Int128{std::numeric_limits<int64_t>::max()} * kBillion;

struct Quantity {
  Int128 nano = 0;  // never negative; see `negative`
  bool negative = false;
  bool binary = false;
};

struct Suffix {
  absl::string_view text;
  int power;  // of 1000, or of 1024 where binary
  bool binary;
};

// Largest first: formatting takes the first that divides.
constexpr std::array<Suffix, 9> kDecimal = {{{"E", 6, false},
                                             {"P", 5, false},
                                             {"T", 4, false},
                                             {"G", 3, false},
                                             {"M", 2, false},
                                             {"k", 1, false},
                                             {"", 0, false},
                                             {"m", -1, false},
                                             {"u", -2, false}}};
constexpr std::array<Suffix, 6> kBinary = {{{"Ei", 6, true},
                                            {"Pi", 5, true},
                                            {"Ti", 4, true},
                                            {"Gi", 3, true},
                                            {"Mi", 2, true},
                                            {"Ki", 1, true}}};

Int128 Power(Int128 base, int exponent) {
  Int128 result = 1;
  for (int i = 0; i < exponent; ++i) result *= base;
  return result;
}

absl::Status NotAQuantity(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(QuotedStart(text),
                   " is not a quantity; write a number with an optional suffix, like 500m, 2, 64Mi "
                   "or 1.5G"));
}

absl::Status TooLarge(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(QuotedStart(text), " is too large; quantities end at 2^63 - 1"));
}

// What a number is multiplied by: `scale` times ten to the `tens`.
struct Multiplier {
  Int128 scale = 1;
  int tens = 0;
  bool binary = false;
};

bool ParseExponent(absl::string_view digits, Multiplier* multiplier) {
  const bool negative = !digits.empty() && digits[0] == '-';
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  if (digits.empty()) return false;
  int value = 0;
  for (const char c : digits) {
    if (!absl::ascii_isdigit(c)) return false;
    // Beyond this every number is zero or too large, and the caller's sums stay in range.
    value = std::min(value * 10 + (c - '0'), 100'000);
  }
  multiplier->tens = negative ? -value : value;
  return true;
}

bool ParseSuffix(absl::string_view text, Multiplier* multiplier) {
  if (text == "n") {
    multiplier->tens = -9;
    return true;
  }
  for (const Suffix& suffix : kDecimal) {
    if (suffix.text == text) {
      multiplier->tens = 3 * suffix.power;
      return true;
    }
  }
  for (const Suffix& suffix : kBinary) {
    if (suffix.text == text) {
      *multiplier = {Power(1024, suffix.power), 0, true};
      return true;
    }
  }
  if (text[0] != 'e' && text[0] != 'E') return false;
  return ParseExponent(text.substr(1), multiplier);
}

// whole.fraction without its dot, leading and trailing zeros; `tens` is where the dot belongs.
struct Digits {
  std::string text;
  int tens = 0;
};

bool TakeDigits(absl::string_view* text, Digits* digits) {
  bool dot = false;
  bool any = false;
  size_t i = 0;
  for (; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (c == '.' && !dot) {
      dot = true;
    } else if (absl::ascii_isdigit(c)) {
      any = true;
      if (!digits->text.empty() || c != '0') digits->text.push_back(c);
      if (dot) --digits->tens;
    } else {
      break;
    }
  }
  while (!digits->text.empty() && digits->text.back() == '0') {
    digits->text.pop_back();
    ++digits->tens;
  }
  text->remove_prefix(i);
  return any;
}

// digits * 10^tens * scale in billionths, rounded up; kMost + 1 when it is more.
Int128 ToNano(const Digits& digits, const Multiplier& multiplier) {
  if (digits.text.empty()) return 0;
  const int64_t tens = int64_t{digits.tens} + multiplier.tens + 9;
  const int64_t length = static_cast<int64_t>(digits.text.size());
  // 10^28 < 2^94 billionths is already beyond the limit.
  if (length + tens > 28) return kMost + 1;
  Int128 value = 0;
  bool rest = false;
  int64_t kept = 0;
  // At most 20 digits count here: with 2^60 they stay below 2^127. What is cut off rounds up.
  for (; kept < length && kept < 20 && kept < length + tens + 19; ++kept) {
    value = value * 10 + (digits.text[static_cast<size_t>(kept)] - '0');
  }
  rest = kept < length;
  int64_t left = tens + (length - kept);
  value *= multiplier.scale;
  for (; left > 0 && value <= kMost; --left) value *= 10;
  for (; left < 0 && value > 0; ++left) {
    rest = rest || value % 10 != 0;
    value /= 10;
  }
  rest = rest || (left < 0);
  return value + (rest ? 1 : 0);
}

absl::StatusOr<Quantity> ParseQuantity(absl::string_view text) {
  Quantity quantity;
  absl::string_view left = text;
  if (!left.empty() && (left[0] == '-' || left[0] == '+')) {
    quantity.negative = left[0] == '-';
    left.remove_prefix(1);
  }
  Digits digits;
  Multiplier multiplier;
  if (!TakeDigits(&left, &digits) || !ParseSuffix(left, &multiplier)) return NotAQuantity(text);
  quantity.binary = multiplier.binary;
  quantity.nano = ToNano(digits, multiplier);
  if (quantity.nano > kMost) return TooLarge(text);
  return quantity;
}

absl::StatusOr<int64_t> InUnits(absl::string_view text, Int128 nano_per_unit) {
  const auto quantity = ParseQuantity(text);
  if (!quantity.ok()) return quantity.status();
  const Int128 units = (quantity->nano + nano_per_unit - 1) / nano_per_unit;
  if (units > std::numeric_limits<int64_t>::max()) return TooLarge(text);
  const auto value = static_cast<int64_t>(units);
  return quantity->negative ? -value : value;
}

std::string Digits128(Int128 value) {
  if (value <= std::numeric_limits<int64_t>::max())
    return absl::StrCat(static_cast<int64_t>(value));
  return absl::StrCat(static_cast<int64_t>(value / kBillion),
                      absl::Dec(static_cast<int64_t>(value % kBillion), absl::kZeroPad9));
}

std::string Format(const Quantity& quantity) {
  const absl::string_view sign = quantity.negative ? "-" : "";
  if (quantity.nano == 0) return "0";
  // Below 1024, and where a fraction is left, Kubernetes falls back to decimal too.
  if (quantity.binary && quantity.nano >= 1024 * kBillion && quantity.nano % kBillion == 0) {
    const Int128 units = quantity.nano / kBillion;
    for (const Suffix& suffix : kBinary) {
      const Int128 unit = Power(1024, suffix.power);
      if (units % unit == 0) return absl::StrCat(sign, Digits128(units / unit), suffix.text);
    }
    return absl::StrCat(sign, Digits128(units));
  }
  for (const Suffix& suffix : kDecimal) {
    const Int128 unit = Power(1000, suffix.power + 3);
    if (quantity.nano % unit == 0) {
      return absl::StrCat(sign, Digits128(quantity.nano / unit), suffix.text);
    }
  }
  return absl::StrCat(sign, Digits128(quantity.nano), "n");
}

Quantity FromUnits(int64_t units, Int128 nano_per_unit, bool binary) {
  const Int128 value = units;
  return {(units < 0 ? -value : value) * nano_per_unit, units < 0, binary};
}

}  // namespace

absl::StatusOr<int64_t> QuantityMilli(absl::string_view text) { return InUnits(text, 1'000'000); }

absl::StatusOr<int64_t> QuantityValue(absl::string_view text) { return InUnits(text, kBillion); }

absl::StatusOr<std::string> CanonicalQuantity(absl::string_view text) {
  const auto quantity = ParseQuantity(text);
  if (!quantity.ok()) return quantity.status();
  return Format(*quantity);
}

std::string FormatMilli(int64_t milli) { return Format(FromUnits(milli, 1'000'000, false)); }
std::string FormatBytes(int64_t bytes) { return Format(FromUnits(bytes, kBillion, true)); }
std::string FormatCount(int64_t count) { return Format(FromUnits(count, kBillion, false)); }

}  // namespace cluster
