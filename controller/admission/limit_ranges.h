// The LimitRanges of a namespace: what they fill in, and what they do not let in. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "controller/cache/view.h"

namespace cluster::controller {

// On a pod: what was filled in, in Kubernetes' words.
constexpr absl::string_view kFilledIn = "kubernetes.io/limit-ranger";

// A manifest that is applied again does not say what was filled in: it stays as it is.
void KeepFilledIn(const v1::Object& before, v1::Object* after);

class LimitRanges {
 public:
  LimitRanges(const View& view, const std::string& name_space);

  bool empty() const { return ranges_.empty(); }
  // Requests and limits that the containers of a new pod leave out, and a note of it (kFilledIn).
  // Other kinds stay as they are.
  void FillIn(v1::Object* object) const;
  // Why a pod or a claim may not be, each as Kubernetes says it; empty: it may.
  std::vector<std::string> Problems(const v1::Object& object) const;

 private:
  std::vector<EntryPtr> ranges_;  // ordered by name
};

}  // namespace cluster::controller
