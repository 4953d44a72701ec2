// kubectl's JSONPath templates: {.items[*].metadata.name}, {range
// .items[*]}{.metadata.name}{"\n"}{end}, [0], [-1], [0:2], ['a','b'],
// labels.app\.kubernetes\.io/name, ..name,
// [?(@.type=="Ready")].status. Values; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "proto/schema/printer.h"

namespace cluster {

class JsonPath {
 public:
  // InvalidArgument with one sentence. Text outside of braces is printed as it is; a text that has
  // no braces at all is taken as one path: ".metadata.name".
  static absl::StatusOr<JsonPath> Parse(absl::string_view text);

  // The template filled in. What is absent prints nothing; several results are separated by blanks;
  // strings are bare, lists and maps JSON. ResourceExhausted when `..` finds too much.
  absl::StatusOr<std::string> Print(const Json& root) const;
  // What the template's first path finds; pointers into `root`.
  absl::StatusOr<std::vector<const Json*>> Find(const Json& root) const;

  // The parsed form: for jsonpath's own sources.
  struct Filter;
  struct Step {
    enum class Kind { kNames, kAll, kSlices, kDescend, kFilter };
    struct Slice {
      int first = 0;
      int last = 0;  // only where has_last
      int stride = 1;
      bool has_last = false;
      bool one = false;  // [n]
    };
    Kind kind = Kind::kAll;
    std::vector<std::string> names;
    std::vector<Slice> slices;
    std::vector<Filter> filter;  // one, for kFilter
  };
  struct Path {
    bool from_root = false;  // $ instead of @ or nothing
    std::vector<Step> steps;
  };
  // left [op right]; without op: exists.
  struct Filter {
    struct Operand {
      bool is_path = false;
      Path path;
      Json value;
    };
    Operand left;
    std::string op;
    Operand right;
  };
  struct Part {
    enum class Kind { kText, kPath, kRange };
    Kind kind = Kind::kText;
    std::string text;
    Path path;
    std::vector<Part> body;  // of a range
  };

 private:
  std::vector<Part> parts_;
};

}  // namespace cluster
