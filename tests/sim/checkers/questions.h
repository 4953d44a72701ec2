// What checkers ask of objects, answered without the code that they check.
#pragma once

#include <string>

#include "controller/cache/view.h"

namespace cluster::sim {

bool IsOver(const v1::Pod& pod);  // Succeeded or Failed
bool IsGoing(const v1::ObjectMeta& meta);
// Neither over nor on its way out.
bool IsActive(const v1::Pod& pod);
bool Holds(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions,
           absl::string_view type);
bool IsReady(const v1::Pod& pod);
bool IsFinished(const v1::Job& job);  // Complete or Failed
// nullptr: it has none, or one of another kind.
const v1::OwnerReference* OwnerOf(const v1::ObjectMeta& meta, absl::string_view kind);
std::string AppOf(const v1::Pod& pod);  // its label
// Reason of its condition DisruptionTarget; "" = it has none.
std::string DisruptionOf(const v1::Pod& pod);
// No rule about neighbours keeps the pod from the node: one on a node, spread over zones.
bool IsPlaceFree(const View& view, const v1::Pod& pod, const v1::Node& node);
// "2" or "25%" of `total`, rounded up or down.
int Share(const std::string& text, int total, bool up);

}  // namespace cluster::sim
