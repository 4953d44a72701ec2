#include "proto/validate/resize_rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/pod_resources.h"

namespace cluster {
namespace {

using Amounts = google::protobuf::Map<std::string, std::string>;

constexpr const char* kResized[] = {"cpu", "memory"};

void SetBack(const Amounts& before, Amounts* after) {
  for (const char* resource : kResized) {
    const auto old = before.find(resource);
    if (old == before.end()) {
      after->erase(resource);
    } else {
      (*after)[resource] = old->second;
    }
  }
}

void CheckKept(const Amounts& before, const Amounts& after, const Path& path, Findings* findings) {
  for (const char* resource : kResized) {
    if (before.contains(resource) && !after.contains(resource)) {
      findings->Add(path.Key(resource), absl::StrCat("what a running pod has of ", resource,
                                                     " can be changed, not taken away; set it"));
    }
  }
}

void CheckContainers(const google::protobuf::RepeatedPtrField<v1::Container>& before,
                     const google::protobuf::RepeatedPtrField<v1::Container>& after,
                     const Path& path, Findings* findings) {
  for (int i = 0; i < std::min(before.size(), after.size()); ++i) {
    const Path at = path.At(i) / "resources";
    CheckKept(before[i].resources().limits(), after[i].resources().limits(), at / "limits",
              findings);
    CheckKept(before[i].resources().requests(), after[i].resources().requests(), at / "requests",
              findings);
  }
}

}  // namespace

void KeepResized(const v1::Container& before, v1::Container* after) {
  if (before.name() != after->name()) return;
  if (!before.has_resources() && !after->has_resources()) return;
  SetBack(before.resources().limits(), after->mutable_resources()->mutable_limits());
  SetBack(before.resources().requests(), after->mutable_resources()->mutable_requests());
  if (!before.has_resources() && after->resources().limits().empty() &&
      after->resources().requests().empty()) {
    after->clear_resources();
  }
}

void CheckResize(const v1::PodSpec& before, const v1::PodSpec& after, Findings* findings) {
  CheckContainers(before.containers(), after.containers(), Path("spec") / "containers", findings);
  CheckContainers(before.init_containers(), after.init_containers(),
                  Path("spec") / "initContainers", findings);
  const v1::QosClass old_class = QosOf(before);
  const v1::QosClass new_class = QosOf(after);
  if (old_class == new_class) return;
  findings->Add(Path("spec"),
                absl::StrCat("a running pod keeps its QoS class ", EnumText(old_class),
                             ", and these resources make it ", EnumText(new_class),
                             "; delete the pod and create it anew"));
}

}  // namespace cluster
