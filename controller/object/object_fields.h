// Parts that most kinds have, by descriptor, and what of an object belongs to the system. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

#include "cluster/v1/object.pb.h"

namespace cluster::controller {

void SetTime(absl::Time time, google::protobuf::Timestamp* timestamp);
absl::Time GetTime(const google::protobuf::Timestamp& timestamp);

void ClearStatus(v1::Object* object);
void CopyStatus(const v1::Object& from, v1::Object* to);
// Whether the spec fields differ; kinds without spec never do.
bool SpecChanged(const v1::Object& before, const v1::Object& after);

// What the system wrote into the spec: the range of a node and since when it has its taints, the
// node of a pod (unless the manifest names one) and its priority.
void KeepSystemSpec(const v1::Object& before, v1::Object* after);
// What a declaration leaves to the controllers when it does not say it: replicas, owners,
// finalizers, annotations below *.kubernetes.io and *.cluster.v1, labels of a node.
void KeepUndeclared(const v1::Object& before, v1::Object* after);

// A function of the seed (16 random bytes) and `what` alone.
std::string DerivedUid(absl::string_view seed, absl::string_view what);
// Five characters without vowels.
std::string DerivedSuffix(absl::string_view seed, absl::string_view what);

// 16 random bytes from the kernel.
std::string RandomId();

bool NodeIsReady(const v1::Node& node);

}  // namespace cluster::controller
