#include "node/oci/flags.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::oci {
namespace {

// Levenshtein's.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t i = 0; i <= b.size(); ++i) row[i] = i;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

absl::Status UnknownFlag(absl::Span<const Flag> flags, absl::string_view name) {
  std::string text = absl::StrCat("unknown flag --", name);
  const Flag* nearest = nullptr;
  size_t best = 3;
  for (const Flag& flag : flags) {
    const size_t distance = Distance(name, flag.name);
    if (distance >= best) continue;
    best = distance;
    nearest = &flag;
  }
  if (nearest != nullptr) absl::StrAppend(&text, ": did you mean --", nearest->name, "?");
  return absl::InvalidArgumentError(text);
}

const Flag* FindByLetter(absl::Span<const Flag> flags, char letter) {
  for (const Flag& flag : flags) {
    if (flag.letter == letter && letter != 0) return &flag;
  }
  return nullptr;
}

const Flag* FindByName(absl::Span<const Flag> flags, absl::string_view name) {
  for (const Flag& flag : flags) {
    if (name == flag.name) return &flag;
  }
  return nullptr;
}

// One word that begins with '-', taken apart.
struct FlagWord {
  const Flag* flag = nullptr;
  bool has_value = false;
  std::string value;
};

absl::StatusOr<FlagWord> TakeApart(absl::Span<const Flag> flags, const std::string& word) {
  FlagWord found;
  // Long names are known with one dash, too.
  const std::string body = word.substr(word[1] == '-' ? 2 : 1);
  const size_t equals = body.find('=');
  const std::string name = body.substr(0, equals);
  if (name.size() > 1 || word[1] == '-') found.flag = FindByName(flags, name);
  if (found.flag != nullptr) {
    found.has_value = equals != std::string::npos;
    if (found.has_value) found.value = body.substr(equals + 1);
    return found;
  }
  if (word[1] != '-') found.flag = FindByLetter(flags, word[1]);
  if (found.flag == nullptr) return UnknownFlag(flags, name);
  found.has_value = word.size() > 2;
  if (found.has_value) found.value = word.substr(word[2] == '=' ? 3 : 2);
  return found;
}

}  // namespace

std::string Arguments::Text(const char* name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second.back();
}

std::vector<std::string> Arguments::Texts(const char* name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

absl::StatusOr<int64_t> Arguments::Number(const char* name, int64_t otherwise) const {
  if (!Has(name)) return otherwise;
  int64_t number = 0;
  if (absl::SimpleAtoi(Text(name), &number)) return number;
  return absl::InvalidArgumentError(absl::StrCat("--", name, " '", Text(name), "' is no number"));
}

absl::StatusOr<Arguments> ParseArguments(absl::Span<const Flag> flags,
                                         absl::Span<const std::string> words, bool stop_at_rest,
                                         size_t* used) {
  Arguments arguments;
  size_t at = 0;
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "--") {
      ++at;
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      if (stop_at_rest) break;
      arguments.rest_.push_back(word);
      continue;
    }
    ASSIGN_OR_RETURN(FlagWord found, TakeApart(flags, word));
    std::vector<std::string>& values = arguments.values_[found.flag->name];
    if (found.flag->kind == Flag::kSwitch) {
      if (found.has_value && found.value != "true" && found.value != "false") {
        return absl::InvalidArgumentError(absl::StrCat(word, ": is true or false"));
      }
      values.push_back("true");
      if (found.value == "false") arguments.values_.erase(found.flag->name);
      continue;
    }
    if (!found.has_value && ++at == words.size()) {
      return absl::InvalidArgumentError(absl::StrCat(word, ": needs a value"));
    }
    values.push_back(found.has_value ? found.value : words[at]);
  }
  if (used != nullptr) *used = at;
  arguments.rest_.insert(arguments.rest_.end(), words.begin() + static_cast<ptrdiff_t>(at),
                         words.end());
  return arguments;
}

std::string DescribeFlags(absl::Span<const Flag> flags) {
  std::string text;
  for (const Flag& flag : flags) {
    std::string left =
        flag.letter != 0 ? absl::StrCat("-", std::string(1, flag.letter), ", ") : "    ";
    absl::StrAppend(&left, "--", flag.name, flag.value_name == nullptr ? "" : " ",
                    flag.value_name == nullptr ? "" : flag.value_name);
    absl::StrAppend(&text, "  ", left);
    text.append(left.size() < 30 ? 30 - left.size() : 1, ' ');
    absl::StrAppend(&text, flag.help, "\n");
  }
  return text;
}

}  // namespace cluster::oci
