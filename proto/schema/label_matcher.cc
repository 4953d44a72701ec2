// LabelMatcher: parsing and matching.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "proto/schema/selector.h"
#include "proto/schema/yaml_message.h"

namespace cluster {
namespace {

constexpr size_t kLongestValue = 63;
constexpr size_t kLongestKey = 253 + 1 + 63;

bool IsWordChar(char c) { return absl::ascii_isalnum(c) || absl::StrContains("-_./", c); }

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "label selector: ", what, "; write it like app=web,tier!=db,env in (a,b),track,!canary"));
}

// "app", "=", "==", "!=", "!", "(", ")", ",": one after the other.
class Tokens {
 public:
  explicit Tokens(absl::string_view text) : text_(text) {}

  // "" at the end.
  absl::string_view Peek() {
    text_ = absl::StripLeadingAsciiWhitespace(text_);
    if (text_.empty()) return "";
    size_t length = 1;
    if (IsWordChar(text_[0])) {
      while (length < text_.size() && IsWordChar(text_[length])) ++length;
    } else if (absl::StartsWith(text_, "==") || absl::StartsWith(text_, "!=")) {
      length = 2;
    }
    return text_.substr(0, length);
  }
  absl::string_view Take() {
    const absl::string_view token = Peek();
    text_.remove_prefix(token.size());
    return token;
  }
  bool TakeIf(absl::string_view wanted) {
    if (Peek() != wanted) return false;
    Take();
    return true;
  }
  bool AtWord() { return !Peek().empty() && IsWordChar(Peek()[0]); }

 private:
  absl::string_view text_;
};

absl::StatusOr<std::string> TakeKey(Tokens* tokens) {
  const absl::string_view key = tokens->Take();
  if (key.empty()) return Bad("a label's name is missing");
  if (!IsWordChar(key[0]) || key.size() > kLongestKey) {
    return Bad(absl::StrCat(ShowText(key), " is no name of a label"));
  }
  return std::string(key);
}

// A value may be empty: "app=" selects the empty value.
absl::StatusOr<std::string> TakeValue(Tokens* tokens) {
  if (!tokens->AtWord()) return std::string();
  const absl::string_view value = tokens->Take();
  if (value.size() > kLongestValue || absl::StrContains(value, '/')) {
    return Bad(absl::StrCat(ShowText(value), " is no value of a label"));
  }
  return std::string(value);
}

absl::Status TakeValues(Tokens* tokens, std::vector<std::string>* values) {
  if (!tokens->TakeIf("(")) return Bad("in and notin want values in brackets");
  while (true) {
    auto value = TakeValue(tokens);
    if (!value.ok()) return value.status();
    values->push_back(*std::move(value));
    if (tokens->TakeIf(")")) return absl::OkStatus();
    if (!tokens->TakeIf(",")) return Bad("a closing bracket is missing");
  }
}

void Normalize(std::vector<std::string>* values) {
  std::sort(values->begin(), values->end());
  values->erase(std::unique(values->begin(), values->end()), values->end());
}

absl::StatusOr<LabelRequirement> TakeRequirement(Tokens* tokens) {
  LabelRequirement requirement;
  const bool absent = tokens->TakeIf("!");
  auto key = TakeKey(tokens);
  if (!key.ok()) return key.status();
  requirement.key = *std::move(key);
  const absl::string_view next = tokens->Peek();
  if (absent || next.empty() || next == ",") {
    requirement.op = absent ? v1::SELECTOR_OPERATOR_DOES_NOT_EXIST : v1::SELECTOR_OPERATOR_EXISTS;
    return requirement;
  }
  tokens->Take();
  const bool one = next == "=" || next == "==" || next == "!=";
  if (!one && next != "in" && next != "notin") {
    return Bad(absl::StrCat(ShowText(next), " is no operator"));
  }
  requirement.op =
      next == "!=" || next == "notin" ? v1::SELECTOR_OPERATOR_NOT_IN : v1::SELECTOR_OPERATOR_IN;
  if (one) {
    auto value = TakeValue(tokens);
    if (!value.ok()) return value.status();
    requirement.values.push_back(*std::move(value));
  } else if (const auto status = TakeValues(tokens, &requirement.values); !status.ok()) {
    return status;
  }
  Normalize(&requirement.values);
  return requirement;
}

std::string ToText(const LabelRequirement& requirement) {
  const std::string& key = requirement.key;
  const bool one = requirement.values.size() == 1;
  const std::string values = absl::StrJoin(requirement.values, ",");
  if (requirement.op == v1::SELECTOR_OPERATOR_IN) {
    return one ? absl::StrCat(key, "=", values) : absl::StrCat(key, " in (", values, ")");
  }
  if (requirement.op == v1::SELECTOR_OPERATOR_NOT_IN) {
    return one ? absl::StrCat(key, "!=", values) : absl::StrCat(key, " notin (", values, ")");
  }
  return requirement.op == v1::SELECTOR_OPERATOR_DOES_NOT_EXIST ? absl::StrCat("!", key) : key;
}

absl::Status CheckExpression(const v1::LabelSelectorRequirement& expression) {
  const bool wants_values = expression.operator_() == v1::SELECTOR_OPERATOR_IN ||
                            expression.operator_() == v1::SELECTOR_OPERATOR_NOT_IN;
  if (!wants_values && expression.operator_() != v1::SELECTOR_OPERATOR_EXISTS &&
      expression.operator_() != v1::SELECTOR_OPERATOR_DOES_NOT_EXIST) {
    return absl::InvalidArgumentError(
        absl::StrCat("matchExpressions for ", ShowText(expression.key()),
                     " has no operator; write In, NotIn, Exists or DoesNotExist"));
  }
  if (wants_values == (expression.values_size() > 0)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("matchExpressions for ", ShowText(expression.key()),
                   wants_values ? " has no values; In and NotIn want some"
                                : " has values; Exists and DoesNotExist want none"));
}

}  // namespace

bool LabelRequirement::Matches(const Labels& labels) const {
  const auto found = labels.find(key);
  const bool present = found != labels.end();
  if (op == v1::SELECTOR_OPERATOR_EXISTS) return present;
  if (op == v1::SELECTOR_OPERATOR_DOES_NOT_EXIST) return !present;
  const bool listed = present && std::binary_search(values.begin(), values.end(), found->second);
  return op == v1::SELECTOR_OPERATOR_IN ? listed : !listed;
}

absl::StatusOr<LabelMatcher> LabelMatcher::Parse(absl::string_view text) {
  LabelMatcher matcher;
  Tokens tokens(text);
  if (tokens.Peek().empty()) return matcher;
  while (true) {
    auto requirement = TakeRequirement(&tokens);
    if (!requirement.ok()) return requirement.status();
    matcher.requirements_.push_back(*std::move(requirement));
    if (tokens.Peek().empty()) return matcher;
    if (!tokens.TakeIf(",")) {
      return Bad(absl::StrCat(ShowText(tokens.Peek()), " stands where a comma belongs"));
    }
  }
}

absl::StatusOr<LabelMatcher> LabelMatcher::From(const v1::LabelSelector& selector) {
  LabelMatcher matcher = Equal(selector.match_labels());
  for (const auto& expression : selector.match_expressions()) {
    const absl::Status status = CheckExpression(expression);
    if (!status.ok()) return status;
    LabelRequirement requirement{expression.key(),
                                 expression.operator_(),
                                 {expression.values().begin(), expression.values().end()}};
    Normalize(&requirement.values);
    matcher.requirements_.push_back(std::move(requirement));
  }
  return matcher;
}

LabelMatcher LabelMatcher::Equal(const Labels& labels) {
  LabelMatcher matcher;
  for (const auto& [key, value] : labels) {
    matcher.requirements_.push_back({key, v1::SELECTOR_OPERATOR_IN, {value}});
  }
  // The map's own order differs from run to run.
  std::sort(matcher.requirements_.begin(), matcher.requirements_.end(),
            [](const LabelRequirement& a, const LabelRequirement& b) { return a.key < b.key; });
  return matcher;
}

bool LabelMatcher::Matches(const Labels& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const LabelRequirement& one) { return one.Matches(labels); });
}

std::string LabelMatcher::ToString() const {
  return absl::StrJoin(requirements_, ",", [](std::string* out, const LabelRequirement& one) {
    absl::StrAppend(out, ToText(one));
  });
}

}  // namespace cluster
