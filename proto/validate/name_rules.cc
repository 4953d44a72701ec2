#include "proto/validate/name_rules.h"

#include <arpa/inet.h>

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cluster {
namespace {

constexpr size_t kLongestLabel = 63;
constexpr size_t kLongestSubdomain = 253;
constexpr size_t kLongestPortName = 15;
constexpr size_t kLongestQuote = 80;

bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }
bool IsLowerAlnum(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) ||
         absl::ascii_isdigit(static_cast<unsigned char>(c));
}

bool IsDnsLabel(absl::string_view text) {
  if (text.empty() || !IsLowerAlnum(text.front()) || !IsLowerAlnum(text.back())) return false;
  for (const char c : text) {
    if (!IsLowerAlnum(c) && c != '-') return false;
  }
  return true;
}

// Letters, digits, '-', '_' and '.', with a letter or digit at both ends.
bool IsLabelWord(absl::string_view text) {
  if (text.empty() || !IsAlnum(text.front()) || !IsAlnum(text.back())) return false;
  for (const char c : text) {
    if (!IsAlnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

std::string TooLong(absl::string_view text, size_t most) {
  return absl::StrCat(Quote(text), " has ", text.size(), " characters; use at most ", most);
}

}  // namespace

std::string Quote(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kLongestQuote)),
                      text.size() > kLongestQuote ? "..." : "", "\"");
}

std::string DnsLabelProblem(absl::string_view text) {
  if (text.size() > kLongestLabel) return TooLong(text, kLongestLabel);
  if (IsDnsLabel(text)) return "";
  return absl::StrCat(Quote(text),
                      " is not a DNS label; use lower case letters, digits and '-', with a letter "
                      "or digit at both ends");
}

std::string ServiceNameProblem(absl::string_view text) {
  std::string problem = DnsLabelProblem(text);
  if (!problem.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(text.front()))) {
    return problem;
  }
  return absl::StrCat(Quote(text), " begins with a digit; begin a service's name with a letter");
}

std::string DnsSubdomainProblem(absl::string_view text) {
  if (text.size() > kLongestSubdomain) return TooLong(text, kLongestSubdomain);
  for (const absl::string_view label : absl::StrSplit(text, '.')) {
    if (IsDnsLabel(label)) continue;
    return absl::StrCat(Quote(text),
                        " is not a DNS name; use lower case letters, digits, '-' and '.', with a "
                        "letter or digit at both ends of each part");
  }
  return "";
}

std::string QualifiedNameProblem(absl::string_view text) {
  absl::string_view name = text;
  const size_t slash = text.find('/');
  if (slash != absl::string_view::npos) {
    const absl::string_view prefix = text.substr(0, slash);
    if (!DnsSubdomainProblem(prefix).empty()) {
      return absl::StrCat("the prefix of ", Quote(text),
                          " is not a DNS name; write it as example.com/name");
    }
    name = text.substr(slash + 1);
  }
  if (name.size() > kLongestLabel) return TooLong(name, kLongestLabel);
  if (IsLabelWord(name)) return "";
  return absl::StrCat(Quote(text),
                      " is not a key; use [prefix/]name with letters, digits, '-', '_' and '.' in "
                      "the name, and a letter or digit at both ends");
}

std::string LabelValueProblem(absl::string_view text) {
  if (text.size() > kLongestLabel) return TooLong(text, kLongestLabel);
  if (text.empty() || IsLabelWord(text)) return "";
  return absl::StrCat(Quote(text),
                      " is not a label value; use letters, digits, '-', '_' and '.', with a letter "
                      "or digit at both ends");
}

std::string EnvNameProblem(absl::string_view text) {
  bool good = !text.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(text.front()));
  for (const char c : text) good = good && (IsAlnum(c) || c == '_' || c == '-' || c == '.');
  if (good) return "";
  return absl::StrCat(
      Quote(text),
      " is not a variable name; use letters, digits, '_', '-' and '.', not beginning "
      "with a digit");
}

std::string DataKeyProblem(absl::string_view text) {
  if (text.empty()) return "a key may not be empty; name it";
  if (text.size() > kLongestSubdomain) return TooLong(text, kLongestSubdomain);
  bool good = text != "." && !absl::StartsWith(text, "..");
  for (const char c : text) good = good && (IsAlnum(c) || c == '_' || c == '-' || c == '.');
  if (good) return "";
  return absl::StrCat(Quote(text),
                      " is not a key; use letters, digits, '-', '_' and '.', not \".\" and not "
                      "beginning with \"..\"");
}

std::string PortNameProblem(absl::string_view text) {
  if (text.size() > kLongestPortName) return TooLong(text, kLongestPortName);
  bool has_letter = false;
  for (const char c : text) {
    has_letter = has_letter || absl::ascii_islower(static_cast<unsigned char>(c));
  }
  if (has_letter && IsDnsLabel(text) && !absl::StrContains(text, "--")) return "";
  return absl::StrCat(Quote(text),
                      " is not a port name; use lower case letters, digits and single '-' between "
                      "them, at least one letter");
}

std::string IpProblem(absl::string_view text) {
  std::array<unsigned char, 16> address{};
  const std::string terminated(text);
  // inet_pton(3) would stop at a NUL inside.
  const bool good = terminated.find('\0') == std::string::npos &&
                    (inet_pton(AF_INET, terminated.c_str(), address.data()) == 1 ||
                     inet_pton(AF_INET6, terminated.c_str(), address.data()) == 1);
  if (good) return "";
  return absl::StrCat(Quote(text), " is not an IP address; write it like 10.0.0.1");
}

}  // namespace cluster
