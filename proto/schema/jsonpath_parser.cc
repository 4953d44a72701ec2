#include "proto/schema/jsonpath_parser.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "proto/schema/yaml_message.h"

namespace cluster {
namespace {

// Of ranges and filters inside each other.
constexpr int kDeepest = 16;

}  // namespace

absl::Status JsonPathParser::Bad(absl::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat("jsonpath: ", what, " at character ", at_ + 1, " of ", ShowText(text_)));
}

bool JsonPathParser::TakeIf(absl::string_view wanted) {
  if (!absl::StartsWith(text_.substr(at_), wanted)) return false;
  at_ += wanted.size();
  return true;
}

void JsonPathParser::SkipBlanks() {
  while (absl::ascii_isspace(static_cast<unsigned char>(Peek()))) ++at_;
}

absl::StatusOr<std::vector<JsonPath::Part>> JsonPathParser::Parse() {
  std::vector<JsonPath::Part> parts;
  if (text_.empty()) return parts;
  if (!absl::StrContains(text_, '{')) {
    parts.push_back({JsonPath::Part::Kind::kPath, "", {}, {}});
    RETURN_IF_ERROR(TakePath(0, &parts.back().path));
    if (at_ < text_.size()) return Bad("this belongs to no path");
    return parts;
  }
  RETURN_IF_ERROR(TakeParts(0, &parts));
  return parts;
}

absl::Status JsonPathParser::TakeParts(int depth, std::vector<JsonPath::Part>* parts) {
  if (depth > kDeepest) return Bad("ranges are nested too deep");
  while (at_ < text_.size()) {
    if (Peek() == '{') {
      ++at_;
      bool ended = false;
      RETURN_IF_ERROR(TakeBraces(depth, parts, &ended));
      if (ended) return absl::OkStatus();
      continue;
    }
    const size_t brace = std::min(text_.find('{', at_), text_.size());
    parts->push_back(
        {JsonPath::Part::Kind::kText, std::string(text_.substr(at_, brace - at_)), {}, {}});
    at_ = brace;
  }
  if (depth > 0) return Bad("{end} is missing for a {range}");
  return absl::OkStatus();
}

absl::Status JsonPathParser::TakeBraces(int depth, std::vector<JsonPath::Part>* parts,
                                        bool* ended) {
  while (true) {
    SkipBlanks();
    if (at_ >= text_.size()) return Bad("a } is missing");
    if (TakeIf("}")) return absl::OkStatus();
    if (Peek() == '"' || Peek() == '\'') {
      parts->push_back({});
      RETURN_IF_ERROR(TakeQuoted(&parts->back().text));
    } else if (TakeIf("range ")) {
      parts->push_back({JsonPath::Part::Kind::kRange, "", {}, {}});
      SkipBlanks();
      RETURN_IF_ERROR(TakePath(0, &parts->back().path));
      SkipBlanks();
      if (!TakeIf("}")) return Bad("a } is missing after the range's path");
      return TakeParts(depth + 1, &parts->back().body);
    } else if (TakeIf("end")) {
      SkipBlanks();
      if (depth == 0) return Bad("{end} stands without a {range}");
      if (!TakeIf("}")) return Bad("a } is missing after end");
      *ended = true;
      return absl::OkStatus();
    } else {
      parts->push_back({JsonPath::Part::Kind::kPath, "", {}, {}});
      const size_t before = at_;
      RETURN_IF_ERROR(TakePath(0, &parts->back().path));
      if (at_ == before) return Bad("a path starts with . or [");
    }
  }
}

absl::Status JsonPathParser::TakePath(int depth, JsonPath::Path* path) {
  if (depth > kDeepest) return Bad("filters are nested too deep");
  path->from_root = TakeIf("$");
  if (!path->from_root) TakeIf("@");
  // A relaxed path may leave out the first dot.
  bool name_next = !path->from_root && (absl::ascii_isalpha(Peek()) || Peek() == '_');
  while (at_ < text_.size()) {
    Step step;
    if (TakeIf("..")) {
      path->steps.push_back({Step::Kind::kDescend, {}, {}, {}});
      name_next = Peek() != '[';
      if (!name_next) continue;
    } else if (Peek() == '[') {
      ++at_;
      RETURN_IF_ERROR(TakeBrackets(depth, &step));
      path->steps.push_back(std::move(step));
      continue;
    } else if (TakeIf(".")) {
      // {.} is the value itself.
      name_next = at_ < text_.size() && !absl::StrContains("}[ )=!<>", Peek());
      if (!name_next) continue;
    }
    if (!name_next) break;
    name_next = false;
    if (!TakeIf("*")) {
      step.kind = Step::Kind::kNames;
      RETURN_IF_ERROR(TakeName(&step.names.emplace_back()));
    }
    path->steps.push_back(std::move(step));
  }
  return absl::OkStatus();
}

absl::Status JsonPathParser::TakeName(std::string* name) {
  while (at_ < text_.size()) {
    const char c = Peek();
    if (c == '\\' && at_ + 1 < text_.size()) {
      name->push_back(text_[at_ + 1]);
      at_ += 2;
      continue;
    }
    if (absl::StrContains(".[]{}()=!<>,'\"@$", c) ||
        absl::ascii_isspace(static_cast<unsigned char>(c))) {
      break;
    }
    name->push_back(c);
    ++at_;
  }
  if (name->empty()) return Bad("a field's name is missing");
  return absl::OkStatus();
}

absl::Status JsonPathParser::TakeBrackets(int depth, Step* step) {
  SkipBlanks();
  if (TakeIf("*")) {
    step->kind = Step::Kind::kAll;
  } else if (TakeIf("?(")) {
    RETURN_IF_ERROR(TakeFilter(depth, step));
  } else if (Peek() == '\'' || Peek() == '"') {
    RETURN_IF_ERROR(TakeNames(step));
  } else {
    RETURN_IF_ERROR(TakeSlices(step));
  }
  SkipBlanks();
  if (!TakeIf("]")) return Bad("a ] is missing");
  return absl::OkStatus();
}

absl::Status JsonPathParser::TakeNames(Step* step) {
  step->kind = Step::Kind::kNames;
  do {
    SkipBlanks();
    RETURN_IF_ERROR(TakeQuoted(&step->names.emplace_back()));
    SkipBlanks();
  } while (TakeIf(","));
  return absl::OkStatus();
}

absl::Status JsonPathParser::TakeSlices(Step* step) {
  step->kind = Step::Kind::kSlices;
  do {
    SkipBlanks();
    Step::Slice slice;
    if (Peek() != ':') RETURN_IF_ERROR(TakeInt(&slice.first));
    slice.one = !TakeIf(":");
    if (!slice.one && Peek() != ']' && Peek() != ',' && Peek() != ':') {
      RETURN_IF_ERROR(TakeInt(&slice.last));
      slice.has_last = true;
    }
    if (!slice.one && TakeIf(":")) RETURN_IF_ERROR(TakeInt(&slice.stride));
    if (slice.stride < 1) return Bad("a step must be 1 or more");
    step->slices.push_back(slice);
    SkipBlanks();
  } while (TakeIf(","));
  return absl::OkStatus();
}

absl::Status JsonPathParser::TakeFilter(int depth, Step* step) {
  step->kind = Step::Kind::kFilter;
  JsonPath::Filter& filter = step->filter.emplace_back();
  RETURN_IF_ERROR(TakeOperand(depth, &filter.left));
  SkipBlanks();
  for (const absl::string_view op : {"==", "!=", "<=", ">=", "<", ">"}) {
    if (!TakeIf(op)) continue;
    filter.op = std::string(op);
    RETURN_IF_ERROR(TakeOperand(depth, &filter.right));
    SkipBlanks();
    break;
  }
  if (filter.op.empty() && !filter.left.is_path) return Bad("a filter compares a path like @.name");
  if (!TakeIf(")")) return Bad("a filter ends in )], and compares with ==, !=, <, <=, > or >=");
  return absl::OkStatus();
}

absl::Status JsonPathParser::TakeOperand(int depth, JsonPath::Filter::Operand* operand) {
  SkipBlanks();
  const char c = Peek();
  if (c == '"' || c == '\'') {
    std::string text;
    RETURN_IF_ERROR(TakeQuoted(&text));
    operand->value = text;
  } else if (absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-') {
    const size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
    double number = 0;
    if (!absl::SimpleAtod(text_.substr(at_, end - at_), &number)) return Bad("this is no number");
    at_ = end;
    operand->value = number;
  } else if (TakeIf("true")) {
    operand->value = true;
  } else if (TakeIf("false")) {
    operand->value = false;
  } else if (c == '@' || c == '$' || c == '.') {
    operand->is_path = true;
    return TakePath(depth + 1, &operand->path);
  } else {
    return Bad("a filter compares paths like @.name with text in quotes, numbers, true and false");
  }
  return absl::OkStatus();
}

absl::Status JsonPathParser::TakeQuoted(std::string* text) {
  const char quote = Peek();
  if (quote != '"' && quote != '\'') return Bad("text in quotes is missing");
  for (++at_; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == quote) {
      ++at_;
      return absl::OkStatus();
    }
    if (c != '\\' || at_ + 1 == text_.size()) {
      text->push_back(c);
      continue;
    }
    const char escaped = text_[++at_];
    text->push_back(escaped == 'n'   ? '\n'
                    : escaped == 't' ? '\t'
                    : escaped == 'r' ? '\r'
                                     : escaped);
  }
  return Bad("a closing quote is missing");
}

absl::Status JsonPathParser::TakeInt(int* number) {
  const size_t end = std::min(text_.find_first_not_of("-0123456789", at_), text_.size());
  if (!absl::SimpleAtoi(text_.substr(at_, end - at_), number)) {
    return Bad("brackets want a number, a name in quotes, * or ?(...)");
  }
  at_ = end;
  return absl::OkStatus();
}

}  // namespace cluster
