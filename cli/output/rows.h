// Objects as rows of kubectl's tables. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/output/table.h"

#include "cluster/v1/object.pb.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {

struct RowOptions {
  bool wide = false;
  // A first column NAMESPACE, for the kinds that live in one.
  bool with_namespace = false;
  // A last column LABELS.
  bool with_labels = false;
  // NAME as kind/name, where several kinds are printed.
  bool with_kind = false;
};

// NAME READY STATUS ...
Cells Header(const Kind& kind, const RowOptions& options);

// One cell per column of its kind's header.
Cells Row(const v1::Object& object, const RowOptions& options, absl::Time now);

// The text, or "<none>" for an empty one.
std::string OrNone(absl::string_view text);

// "app=web,tier=db" in the order of keys; "<none>" for none.
std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels);

// "app=web,tier in (a,b)"; "<none>" for an empty one.
std::string SelectorText(const v1::LabelSelector& selector);

// "3m (x4 over 10m)", "12s".
std::string LastSeen(const v1::Event& event, absl::Time now);

// When it last happened, for sorting.
absl::Time EventTime(const v1::Event& event);

// "pod/web-1"
std::string ReferenceText(const v1::ObjectReference& reference);

// Ready, NotReady or Unknown, and ",SchedulingDisabled" where cordoned.
std::string NodeStatusText(const v1::Node& node);

// "control-plane,worker" from the node-role.kubernetes.io/ labels; "<none>" for none.
std::string RolesText(const v1::Node& node);

// The address of this type, or "<none>".
std::string AddressText(const v1::Node& node, const std::string& type);

}  // namespace cluster::cli
