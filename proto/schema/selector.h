// Label and field selectors, as the command line and the objects write them. Values; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/object.pb.h"
#include "proto/schema/kinds.h"

namespace cluster {

using Labels = google::protobuf::Map<std::string, std::string>;

struct LabelRequirement {
  std::string key;
  v1::SelectorOperator op = v1::SELECTOR_OPERATOR_UNSPECIFIED;
  std::vector<std::string> values;  // sorted, unique
  bool Matches(const Labels& labels) const;
};

// All requirements must hold; none: matches everything.
class LabelMatcher {
 public:
  LabelMatcher() = default;
  // "app=web,tier!=db,env in (a,b),x notin (c),present,!absent". InvalidArgument with one sentence.
  static absl::StatusOr<LabelMatcher> Parse(absl::string_view text);
  // InvalidArgument for an operator that does not fit its values.
  static absl::StatusOr<LabelMatcher> From(const v1::LabelSelector& selector);
  // Exactly these labels, e.g. a nodeSelector.
  static LabelMatcher Equal(const Labels& labels);

  bool Matches(const Labels& labels) const;
  bool empty() const { return requirements_.empty(); }
  const std::vector<LabelRequirement>& requirements() const { return requirements_; }
  // In the command line's form; Parse gives it back.
  std::string ToString() const;

 private:
  std::vector<LabelRequirement> requirements_;
};

// "metadata.name=x,spec.nodeName!=y,status.phase=Running": any field that is one scalar, by its
// path in manifests; absent fields are "".
class FieldMatcher {
 public:
  FieldMatcher() = default;
  // InvalidArgument names the field that `kind` does not have.
  static absl::StatusOr<FieldMatcher> Parse(absl::string_view text, const Kind& kind);

  // The object must be of the kind that was parsed for.
  bool Matches(const v1::Object& object) const;
  bool empty() const { return terms_.empty(); }

 private:
  struct Term {
    std::vector<const google::protobuf::FieldDescriptor*> path;
    std::string map_key;  // only where the last field is a map
    std::string value;
    bool equal = true;
  };
  static absl::StatusOr<Term> ParseTerm(absl::string_view text, const Kind& kind);
  static std::string ValueOf(const Term& term, const google::protobuf::Message& message);

  std::vector<Term> terms_;
};

// One scalar field as manifests write it: enums as words, timestamps RFC 3339, unset as "".
std::string ScalarText(const google::protobuf::Message& message,
                       const google::protobuf::FieldDescriptor& field);

}  // namespace cluster
