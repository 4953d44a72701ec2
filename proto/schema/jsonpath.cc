#include "proto/schema/jsonpath.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "proto/schema/jsonpath_parser.h"

namespace cluster {
namespace {

using Found = std::vector<const Json*>;
using Step = JsonPath::Step;

// Chained `..` multiplies; this ends it.
constexpr size_t kMostWork = 2'000'000;

class Evaluation {
 public:
  explicit Evaluation(const Json& root) : root_(root) {}
  absl::StatusOr<Found> Follow(const JsonPath::Path& path, const Json& here);
  absl::Status Print(const std::vector<JsonPath::Part>& parts, const Json& here, std::string* out);

 private:
  absl::Status Apply(const Step& step, const Json& json, Found* found);
  void ApplySlices(const Step& step, const Json& json, Found* found);
  void Descend(const Json& json, Found* found);
  absl::StatusOr<bool> Matches(const JsonPath::Filter& filter, const Json& json);
  // nullptr: finds nothing.
  absl::StatusOr<const Json*> Operand(const JsonPath::Filter::Operand& operand, const Json& json);

  const Json& root_;
  size_t work_ = 0;
};

std::string Show(const Json& json) {
  return json.is_string() ? json.get<std::string>()
                          : json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool Compare(const Json& left, const std::string& op, const Json& right) {
  if (op == "==") return left == right;
  if (op == "!=") return left != right;
  const bool ordered =
      (left.is_number() && right.is_number()) || (left.is_string() && right.is_string());
  if (!ordered) return false;
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return right < left;
  return right <= left;
}

absl::StatusOr<const Json*> Evaluation::Operand(const JsonPath::Filter::Operand& operand,
                                                const Json& json) {
  if (!operand.is_path) return &operand.value;
  ASSIGN_OR_RETURN(const Found found, Follow(operand.path, json));
  return found.empty() ? nullptr : found.front();
}

absl::StatusOr<bool> Evaluation::Matches(const JsonPath::Filter& filter, const Json& json) {
  ASSIGN_OR_RETURN(const Json* left, Operand(filter.left, json));
  if (filter.op.empty() || left == nullptr) return left != nullptr;
  ASSIGN_OR_RETURN(const Json* right, Operand(filter.right, json));
  return right != nullptr && Compare(*left, filter.op, *right);
}

void Evaluation::ApplySlices(const Step& step, const Json& json, Found* found) {
  if (!json.is_array()) return;
  const auto size = static_cast<int64_t>(json.size());
  const auto from_end = [&](int64_t index) { return index < 0 ? index + size : index; };
  for (const Step::Slice& slice : step.slices) {
    const int64_t first = from_end(slice.first);
    int64_t last = slice.has_last ? from_end(slice.last) : size;
    if (slice.one) last = first + 1;
    if (slice.one && (first < 0 || first >= size)) continue;
    last = std::min(last, size);
    for (int64_t i = std::max<int64_t>(first, 0); i < last; i += slice.stride) {
      found->push_back(&json[static_cast<size_t>(i)]);
    }
  }
}

void Evaluation::Descend(const Json& json, Found* found) {
  found->push_back(&json);
  if (!json.is_structured() || ++work_ > kMostWork) return;
  for (const Json& child : json) Descend(child, found);
}

absl::Status Evaluation::Apply(const Step& step, const Json& json, Found* found) {
  switch (step.kind) {
    case Step::Kind::kNames:
      for (const std::string& name : step.names) {
        const auto at = json.is_object() ? json.find(name) : json.end();
        if (at != json.end()) found->push_back(&*at);
      }
      break;
    case Step::Kind::kAll:
      if (!json.is_structured()) break;
      for (const Json& child : json) found->push_back(&child);
      break;
    case Step::Kind::kSlices:
      ApplySlices(step, json, found);
      break;
    case Step::Kind::kDescend:
      Descend(json, found);
      break;
    case Step::Kind::kFilter:
      if (!json.is_array()) break;
      for (const Json& child : json) {
        ASSIGN_OR_RETURN(const bool matches, Matches(step.filter.front(), child));
        if (matches) found->push_back(&child);
      }
      break;
  }
  return absl::OkStatus();
}

absl::StatusOr<Found> Evaluation::Follow(const JsonPath::Path& path, const Json& here) {
  Found found = {path.from_root ? &root_ : &here};
  for (const Step& step : path.steps) {
    Found next;
    for (const Json* json : found) {
      RETURN_IF_ERROR(Apply(step, *json, &next));
      if (++work_ + next.size() > kMostWork) {
        return absl::ResourceExhaustedError("jsonpath: finds too much; name more of the path");
      }
    }
    found = std::move(next);
  }
  return found;
}

absl::Status Evaluation::Print(const std::vector<JsonPath::Part>& parts, const Json& here,
                               std::string* out) {
  for (const JsonPath::Part& part : parts) {
    if (part.kind == JsonPath::Part::Kind::kText) {
      *out += part.text;
      continue;
    }
    ASSIGN_OR_RETURN(const Found found, Follow(part.path, here));
    bool first = true;
    for (const Json* json : found) {
      if (part.kind == JsonPath::Part::Kind::kRange) {
        RETURN_IF_ERROR(Print(part.body, *json, out));
        continue;
      }
      absl::StrAppend(out, first ? "" : " ", Show(*json));
      first = false;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonPath> JsonPath::Parse(absl::string_view text) {
  JsonPath path;
  ASSIGN_OR_RETURN(path.parts_, JsonPathParser(text).Parse());
  return path;
}

absl::StatusOr<std::string> JsonPath::Print(const Json& root) const {
  std::string out;
  RETURN_IF_ERROR(Evaluation(root).Print(parts_, root, &out));
  return out;
}

absl::StatusOr<std::vector<const Json*>> JsonPath::Find(const Json& root) const {
  for (const Part& part : parts_) {
    if (part.kind == Part::Kind::kPath) return Evaluation(root).Follow(part.path, root);
  }
  return std::vector<const Json*>();
}

}  // namespace cluster
