// Metadata, labels and selectors.
#pragma once

#include "cluster/v1/meta.pb.h"
#include "proto/schema/kinds.h"
#include "proto/validate/findings.h"

namespace cluster {

using StringMap = google::protobuf::Map<std::string, std::string>;

void CheckMeta(const Kind& kind, const v1::ObjectMeta& meta, Findings* findings);
void CheckLabels(const StringMap& labels, const Path& path, Findings* findings);
void CheckAnnotations(const StringMap& annotations, const Path& path, Findings* findings);

// A selector that is well-formed, whether it selects something or not.
void CheckSelectorForm(const v1::LabelSelector& selector, const Path& path, Findings* findings);
// The same, and it selects something.
void CheckSelector(const v1::LabelSelector& selector, const Path& path, Findings* findings);

}  // namespace cluster
