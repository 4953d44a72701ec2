#include "proto/schema/plain_scalar.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cluster {
namespace {

// Longer text is no number that any field could hold.
constexpr size_t kLongestNumber = 128;

using ScalarType = PlainScalar::Type;

bool IsOneOf(absl::string_view text, std::initializer_list<absl::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool ResolveWord(absl::string_view text, PlainScalar* out) {
  if (text.empty() || IsOneOf(text, {"~", "null", "Null", "NULL"})) {
    out->type = ScalarType::kNull;
  } else if (IsOneOf(text,
                     {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})) {
    out->type = ScalarType::kBool;
    out->boolean = true;
  } else if (IsOneOf(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n",
                            "N"})) {
    out->type = ScalarType::kBool;
  } else if (IsOneOf(text, {".nan", ".NaN", ".NAN"})) {
    out->type = ScalarType::kFloat;
    out->number = std::numeric_limits<double>::quiet_NaN();
  } else if (IsOneOf(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) {
    out->type = ScalarType::kFloat;
    out->number = std::numeric_limits<double>::infinity();
  } else if (IsOneOf(text, {"-.inf", "-.Inf", "-.INF"})) {
    out->type = ScalarType::kFloat;
    out->number = -std::numeric_limits<double>::infinity();
  } else {
    return false;
  }
  return true;
}

int DigitValue(char c) {
  if (absl::ascii_isdigit(c)) return c - '0';
  if (absl::ascii_isxdigit(c)) return absl::ascii_tolower(c) - 'a' + 10;
  return 99;
}

// Digits of one base, whole text. Beyond int64_t the value is a float.
bool ResolveDigits(absl::string_view digits, int base, bool negative, PlainScalar* out) {
  if (digits.empty()) return false;
  unsigned __int128 value = 0;
  double large = 0;
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  for (const char c : digits) {
    const int digit = DigitValue(c);
    if (digit >= base) return false;
    large = large * base + digit;
    if (value <= static_cast<unsigned __int128>(kMost)) value = value * base + digit;
  }
  if (value > static_cast<unsigned __int128>(kMost)) {
    out->type = ScalarType::kFloat;
    out->number = negative ? -large : large;
    return true;
  }
  out->type = ScalarType::kInt;
  out->integer = negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  return true;
}

bool ResolveInt(absl::string_view digits, bool negative, PlainScalar* out) {
  if (absl::StartsWith(digits, "0b")) return ResolveDigits(digits.substr(2), 2, negative, out);
  if (absl::StartsWith(digits, "0o")) return ResolveDigits(digits.substr(2), 8, negative, out);
  if (absl::StartsWith(digits, "0x") || absl::StartsWith(digits, "0X")) {
    return ResolveDigits(digits.substr(2), 16, negative, out);
  }
  if (digits.size() > 1 && digits[0] == '0' && ResolveDigits(digits.substr(1), 8, negative, out)) {
    return true;
  }
  // 089 is no octal number; YAML 1.1 readers then take it as a float.
  return ResolveDigits(digits, 10, negative, out);
}

// [0-9]*[.[0-9]*][e[+-][0-9]+] with at least one digit in front.
bool LooksLikeFloat(absl::string_view text) {
  size_t i = 0;
  size_t digits = 0;
  bool dot = false;
  for (; i < text.size() && (absl::ascii_isdigit(text[i]) || (text[i] == '.' && !dot)); ++i) {
    dot = dot || text[i] == '.';
    digits += text[i] != '.' ? 1 : 0;
  }
  if (digits == 0) return false;
  if (i == text.size()) return true;
  if (text[i] != 'e' && text[i] != 'E') return false;
  ++i;
  if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
  if (i == text.size()) return false;
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(),
                     [](char c) { return absl::ascii_isdigit(c); });
}

}  // namespace

PlainScalar ResolvePlain(absl::string_view text) {
  PlainScalar out;
  if (ResolveWord(text, &out) || text.size() > kLongestNumber) return out;
  if (!absl::ascii_isdigit(text[0]) && !IsOneOf(text.substr(0, 1), {"+", "-", "."})) return out;
  std::string digits(text);
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  absl::string_view unsigned_digits = digits;
  const bool sign = !digits.empty() && (digits[0] == '-' || digits[0] == '+');
  if (sign) unsigned_digits.remove_prefix(1);
  if (ResolveInt(unsigned_digits, sign && digits[0] == '-', &out)) return out;
  if (LooksLikeFloat(unsigned_digits) && absl::SimpleAtod(unsigned_digits, &out.number)) {
    out.type = ScalarType::kFloat;
    if (sign && digits[0] == '-') out.number = -out.number;
  }
  return out;
}

std::string PlainKeyText(absl::string_view text) {
  const PlainScalar scalar = ResolvePlain(text);
  switch (scalar.type) {
    case ScalarType::kBool:
      return scalar.boolean ? "true" : "false";
    case ScalarType::kInt:
      return absl::StrCat(scalar.integer);
    case ScalarType::kFloat:
      return absl::StrCat(scalar.number);
    case ScalarType::kString:
    case ScalarType::kNull:
      break;
  }
  return std::string(text);
}

}  // namespace cluster
