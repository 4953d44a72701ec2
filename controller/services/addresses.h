// The address and the ports of nodes that a Service gets, keeps and gives back. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/service.pb.h"
#include "controller/services/ranges.h"
#include "proto/validate/validate.h"

namespace cluster::controller {

// Between a write that leaves things open and the defaults: what was chosen for `before` stays
// where the type of `after` still has it and a declaration does not say it; where it has it no
// more, and `after` merely repeats it, it is given back.
void KeepChosen(const v1::ServiceSpec& before, v1::ServiceSpec* after);

// Who has a claim (cache/service_claims.h), such as "service/web in namespace shop"; "": nobody, or
// the service that is asked about.
using HolderOf = absl::FunctionRef<std::string(const std::string& claim)>;

// Chooses the address and the ports that the spec, with its defaults, has a right to and leaves
// open; the same for the same seed while the same are free. What it names itself has to be in range
// and free, unless `before` (nullptr: it is new) has it already. Returns what is wrong with what it
// names. ResourceExhausted: nothing is left to choose.
absl::StatusOr<std::vector<FieldError>> FillInChosen(const ServiceRanges& ranges,
                                                     HolderOf holder_of, absl::string_view seed,
                                                     const v1::Service* before,
                                                     v1::Service* service);

}  // namespace cluster::controller
