#include "proto/validate/resource_rules.h"

#include <set>

#include "absl/strings/str_cat.h"

#include "proto/schema/pod_tuning.h"
#include "proto/schema/resource_names.h"
#include "proto/validate/name_rules.h"

namespace cluster {
namespace {

using Amounts = google::protobuf::Map<std::string, std::string>;

// Sorted: map fields come in no order.
std::set<std::string> NamesOf(const v1::ResourceRequirements& resources) {
  std::set<std::string> names;
  for (const Amounts* amounts : {&resources.limits(), &resources.requests()}) {
    for (const auto& [name, amount] : *amounts) names.insert(name);
  }
  return names;
}

std::string NameProblem(const std::string& name) {
  if (name == "cpu" || name == "memory" || name == "ephemeral-storage" || HugepageSize(name)) {
    return "";
  }
  if (IsExtendedResource(name)) return QualifiedNameProblem(name);
  return absl::StrCat("unknown resource ", Quote(name),
                      "; there are cpu, memory, ephemeral-storage, hugepages-SIZE (hugepages-2Mi) "
                      "and those with a domain (example.com/dongle)");
}

std::string AmountProblem(const std::string& name, const std::string& text) {
  const auto amount = ResourceAmount(name, text);
  if (!amount.ok()) return std::string(amount.status().message());
  if (*amount < 0) return absl::StrCat(Quote(text), " is negative; use 0 or more");
  const std::optional<int64_t> page = HugepageSize(name);
  if (page && *amount % *page != 0) {
    return absl::StrCat(Quote(text), " is not a whole number of pages; use a multiple of ",
                        FormatResource(name, *page));
  }
  return "";
}

// Kernel and devices hand these out whole: what one has, no other can have meanwhile.
bool CannotBeShared(const std::string& name) {
  return HugepageSize(name).has_value() || IsExtendedResource(name);
}

void CheckAmounts(const Amounts& amounts, const Path& path, Findings* findings) {
  std::set<std::string> names;
  for (const auto& [name, amount] : amounts) names.insert(name);
  for (const std::string& name : names) {
    const std::string problem = NameProblem(name);
    findings->AddProblem(path.Key(name), problem);
    if (problem.empty()) {
      findings->AddProblem(path.Key(name), AmountProblem(name, amounts.at(name)));
    }
  }
}

void CheckRequest(const v1::ResourceRequirements& resources, const std::string& name,
                  const Path& path, Findings* findings) {
  const auto limit = resources.limits().find(name);
  const auto request = resources.requests().find(name);
  if (request == resources.requests().end()) return;
  const Path at = (path / "requests").Key(name);
  if (limit == resources.limits().end()) {
    if (CannotBeShared(name)) {
      findings->Add(at, absl::StrCat("a request of ", name,
                                     " needs the same limit; set it under limits instead"));
    }
    return;
  }
  const auto most = ResourceAmount(name, limit->second);
  const auto wanted = ResourceAmount(name, request->second);
  if (!most.ok() || !wanted.ok()) return;
  if (*wanted > *most) {
    findings->Add(at, absl::StrCat("the request ", request->second, " is above the limit ",
                                   limit->second, "; lower it or raise the limit"));
  } else if (*wanted < *most && CannotBeShared(name)) {
    findings->Add(at, absl::StrCat("the request ", request->second, " is not the limit ",
                                   limit->second, "; for ", name, " make both the same"));
  }
}

void CheckHugepagesHaveCompany(const v1::ResourceRequirements& resources, const Path& path,
                               Findings* findings) {
  const std::set<std::string> names = NamesOf(resources);
  if (names.contains("cpu") || names.contains("memory")) return;
  for (const std::string& name : names) {
    if (!HugepageSize(name)) continue;
    findings->Add(path, "huge pages need cpu or memory beside them; add a request of one");
    return;
  }
}

// Without those that are their limit, most of them by default: what is wrong is said once.
Amounts RequestsOfTheirOwn(const v1::ResourceRequirements& resources) {
  Amounts own = resources.requests();
  for (const auto& [name, limit] : resources.limits()) {
    const auto request = own.find(name);
    if (request != own.end() && request->second == limit) own.erase(request);
  }
  return own;
}

}  // namespace

void CheckResources(const v1::ResourceRequirements& resources, const Path& path,
                    Findings* findings) {
  CheckAmounts(resources.limits(), path / "limits", findings);
  CheckAmounts(RequestsOfTheirOwn(resources), path / "requests", findings);
  for (const std::string& name : NamesOf(resources)) {
    if (NameProblem(name).empty()) CheckRequest(resources, name, path, findings);
  }
  CheckHugepagesHaveCompany(resources, path, findings);
}

void CheckResizePolicies(const v1::Container& container, const Path& path, Findings* findings) {
  std::set<std::string> seen;
  for (int i = 0; i < container.resize_policy_size(); ++i) {
    const v1::ContainerResizePolicy& policy = container.resize_policy(i);
    const Path at = (path / "resizePolicy").At(i) / "resourceName";
    if (policy.resource_name() != "cpu" && policy.resource_name() != "memory") {
      findings->Add(
          at, absl::StrCat(Quote(policy.resource_name()), " cannot be resized; use cpu or memory"));
    } else if (!seen.insert(policy.resource_name()).second) {
      findings->Add(at, absl::StrCat(Quote(policy.resource_name()),
                                     " has a policy already; remove one of them"));
    }
  }
}

void CheckTuning(const v1::ObjectMeta& meta, const Path& path, Findings* findings) {
  for (const auto& [key, problem] : TuningProblems(meta)) {
    findings->Add((path / "annotations").Key(key), problem);
  }
}

}  // namespace cluster
