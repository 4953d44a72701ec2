// What List and Watch are asked for.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "cluster/v1/api.pb.h"
#include "controller/cache/cache.h"
#include "proto/schema/kinds.h"
#include "proto/schema/selector.h"

namespace cluster::controller {

struct Selection {
  const Kind* kind = nullptr;
  std::string name_space;  // empty = all
  LabelMatcher labels;
  FieldMatcher fields;

  bool Matches(const v1::Object& object) const {
    return labels.Matches(Meta(object).labels()) && fields.Matches(object);
  }
};

// InvalidArgument: no such kind, or a selector that cannot be read.
absl::StatusOr<Selection> ParseSelection(const std::string& kind, const std::string& name_space,
                                         const std::string& label_selector,
                                         const std::string& field_selector);

// One page. All pages of a listing show the revision of the first. InvalidArgument for a token of
// another listing, OutOfRange when its revision is no longer kept.
absl::StatusOr<v1::ListResponse> ListPage(const Cache& cache, const v1::ListRequest& request);

}  // namespace cluster::controller
