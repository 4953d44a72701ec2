// What a validation finds, and where. Used by the rules alone.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "proto/validate/validate.h"

namespace cluster {

// A field as in YAML: Path("spec") / "containers" with At(0): spec.containers[0].
class Path {
 public:
  explicit Path(std::string text) : text_(std::move(text)) {}
  Path operator/(absl::string_view field) const {
    return Path(text_.empty() ? std::string(field) : absl::StrCat(text_, ".", field));
  }
  Path At(int index) const { return Path(absl::StrCat(text_, "[", index, "]")); }
  Path Key(absl::string_view key) const { return Path(absl::StrCat(text_, "[", key, "]")); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class Findings {
 public:
  void Add(const Path& path, std::string message) {
    errors_.push_back({path.text(), std::move(message)});
  }
  // Nothing for an empty problem: rules of text return "" where all is well.
  void AddProblem(const Path& path, std::string problem) {
    if (!problem.empty()) Add(path, std::move(problem));
  }
  std::vector<FieldError> Take() { return std::move(errors_); }

 private:
  std::vector<FieldError> errors_;
};

}  // namespace cluster
