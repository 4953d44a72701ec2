// The grammar of kubectl's JSONPath. One thread; short-lived.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "proto/schema/jsonpath.h"

namespace cluster {

class JsonPathParser {
 public:
  explicit JsonPathParser(absl::string_view text) : text_(text) {}
  // InvalidArgument says what is wrong at which character.
  absl::StatusOr<std::vector<JsonPath::Part>> Parse();

 private:
  using Step = JsonPath::Step;

  absl::Status Bad(absl::string_view what) const;
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool TakeIf(absl::string_view wanted);
  void SkipBlanks();

  // Until {end} where depth > 0, else until the end of the text.
  absl::Status TakeParts(int depth, std::vector<JsonPath::Part>* parts);
  absl::Status TakeBraces(int depth, std::vector<JsonPath::Part>* parts, bool* ended);
  absl::Status TakePath(int depth, JsonPath::Path* path);
  absl::Status TakeName(std::string* name);
  absl::Status TakeBrackets(int depth, Step* step);
  absl::Status TakeNames(Step* step);
  absl::Status TakeSlices(Step* step);
  absl::Status TakeFilter(int depth, Step* step);
  absl::Status TakeOperand(int depth, JsonPath::Filter::Operand* operand);
  absl::Status TakeQuoted(std::string* text);
  absl::Status TakeInt(int* number);

  absl::string_view text_;
  size_t at_ = 0;
};

}  // namespace cluster
