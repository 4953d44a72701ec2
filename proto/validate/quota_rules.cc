#include "proto/validate/quota_rules.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/kinds.h"
#include "proto/schema/resource_names.h"
#include "proto/schema/scalars.h"
#include "proto/validate/name_rules.h"

namespace cluster {
namespace {

using Amounts = google::protobuf::Map<std::string, std::string>;

void CanonicalizeAll(Amounts* amounts) {
  for (auto& [resource, amount] : *amounts) {
    // What is no quantity is refused by the validation.
    auto canonical = CanonicalQuantity(amount);
    if (canonical.ok()) amount = *std::move(canonical);
  }
}

void FillMissing(const Amounts& from, Amounts* to) {
  for (const auto& [resource, amount] : from) to->insert({resource, amount});
}

std::set<std::string> KeysInOrder(const Amounts& amounts) {
  std::set<std::string> keys;
  for (const auto& [key, value] : amounts) keys.insert(key);
  return keys;
}

std::optional<int64_t> AmountIn(const Amounts& amounts, const std::string& resource) {
  const auto found = amounts.find(resource);
  if (found == amounts.end()) return std::nullopt;
  const auto amount = ResourceAmount(resource, found->second);
  return amount.ok() ? std::optional<int64_t>(*amount) : std::nullopt;
}

bool IsCompute(absl::string_view resource) {
  return resource == "cpu" || resource == "memory" || resource == "ephemeral-storage";
}

std::string ResourceProblem(v1::LimitType type, const std::string& resource) {
  const bool of_claim = type == v1::LIMIT_TYPE_PERSISTENT_VOLUME_CLAIM;
  if (of_claim ? resource == "storage"
               : IsCompute(resource) || HugepageSize(resource) || IsExtendedResource(resource)) {
    return "";
  }
  return absl::StrCat("a ", EnumText(type), " has no ", Quote(resource), "; there ",
                      of_claim ? "is storage"
                               : "are cpu, memory, ephemeral-storage, hugepages-SIZE and those "
                                 "with a domain");
}

void CheckAmounts(v1::LimitType type, const Amounts& amounts, const Path& path,
                  Findings* findings) {
  for (const std::string& resource : KeysInOrder(amounts)) {
    findings->AddProblem(path.Key(resource), ResourceProblem(type, resource));
    const auto amount = ResourceAmount(resource, amounts.at(resource));
    if (!amount.ok()) {
      findings->Add(path.Key(resource), std::string(amount.status().message()));
    } else if (*amount < 0) {
      findings->Add(path.Key(resource),
                    absl::StrCat(Quote(amounts.at(resource)), " is negative; use 0 or more"));
    }
  }
}

// Each of them is at most the next: min, defaultRequest, default, max.
void CheckOrder(const v1::LimitRangeItem& item, const Path& path, Findings* findings) {
  const std::pair<const char*, const Amounts*> steps[] = {
      {"min", &item.min()},
      {"defaultRequest", &item.default_request()},
      {"default", &item.default_()},
      {"max", &item.max()}};
  for (size_t i = 0; i < std::size(steps); ++i) {
    // The farthest first, and one of them: those between may follow from it.
    std::set<std::string> said;
    for (size_t j = std::size(steps) - 1; j > i; --j) {
      for (const std::string& resource : KeysInOrder(*steps[i].second)) {
        const auto low = AmountIn(*steps[i].second, resource);
        const auto high = AmountIn(*steps[j].second, resource);
        if (!low.has_value() || !high.has_value() || *low <= *high) continue;
        if (!said.insert(resource).second) continue;
        findings->Add((path / steps[i].first).Key(resource),
                      absl::StrCat(steps[i].second->at(resource), " is more than ", steps[j].first,
                                   " ", steps[j].second->at(resource), "; make it less"));
      }
    }
  }
}

void CheckRatios(const v1::LimitRangeItem& item, const Path& path, Findings* findings) {
  for (const std::string& resource : KeysInOrder(item.max_limit_request_ratio())) {
    const std::string& text = item.max_limit_request_ratio().at(resource);
    findings->AddProblem(path.Key(resource), ResourceProblem(item.type(), resource));
    const auto ratio = QuantityMilli(text);
    if (!ratio.ok()) {
      findings->Add(path.Key(resource), std::string(ratio.status().message()));
    } else if (*ratio < 1000) {
      findings->Add(path.Key(resource),
                    absl::StrCat(text,
                                 " would let no limit be as large as its request; use 1 or "
                                 "more"));
    }
  }
}

void CheckItem(const v1::LimitRangeItem& item, const Path& path, Findings* findings) {
  CheckAmounts(item.type(), item.min(), path / "min", findings);
  CheckAmounts(item.type(), item.max(), path / "max", findings);
  if (item.type() == v1::LIMIT_TYPE_CONTAINER) {
    // What follows from the others is judged there.
    Amounts limits = item.default_();
    for (const std::string& resource : KeysInOrder(item.max())) limits.erase(resource);
    CheckAmounts(item.type(), limits, path / "default", findings);
    Amounts requests = item.default_request();
    for (const Amounts* known : {&item.default_(), &item.min()}) {
      for (const std::string& resource : KeysInOrder(*known)) requests.erase(resource);
    }
    CheckAmounts(item.type(), requests, path / "defaultRequest", findings);
  } else if (!item.default_().empty() || !item.default_request().empty()) {
    findings->Add(path / (item.default_().empty() ? "defaultRequest" : "default"),
                  "only containers have defaults; remove it, or set the type to Container");
  }
  if (item.type() == v1::LIMIT_TYPE_PERSISTENT_VOLUME_CLAIM && item.min().empty() &&
      item.max().empty()) {
    findings->Add(path, "either min or max of storage is needed; set one of them");
  }
  CheckOrder(item, path, findings);
  CheckRatios(item, path / "maxLimitRequestRatio", findings);
}

bool IsCounted(absl::string_view name) {
  if (name == "services.nodeports" || name == "services.loadbalancers") return true;
  absl::string_view counted = name;
  const bool by_count = absl::ConsumePrefix(&counted, "count/");
  for (const Kind& kind : AllKinds()) {
    if (!kind.namespaced || kind.object_case == v1::Object::kEvent) continue;
    const size_t slash = kind.api_version.find('/');
    const bool core = slash == std::string::npos;
    const std::string full =
        core ? kind.plural : absl::StrCat(kind.plural, ".", kind.api_version.substr(0, slash));
    if (counted == full && (by_count || core)) return true;
  }
  return false;
}

bool IsSummed(absl::string_view name) {
  if (IsCompute(name) || HugepageSize(name) || name == "requests.storage") return true;
  if (absl::ConsumePrefix(&name, "requests.")) {
    return IsCompute(name) || HugepageSize(name) || IsExtendedResource(name);
  }
  if (absl::ConsumePrefix(&name, "limits.")) return IsCompute(name);
  absl::string_view of_class = name;
  return absl::ConsumePrefix(&of_class, "local.storageclass.storage.k8s.io/") &&
         (of_class == "requests.storage" || of_class == "persistentvolumeclaims");
}

std::string ScopeProblem(const v1::ResourceQuotaSpec& spec, const std::string& name) {
  if (spec.scopes().empty()) return "";
  const bool pods = name == "pods" || name == "count/pods";
  const bool only_pods = std::find(spec.scopes().begin(), spec.scopes().end(),
                                   v1::QUOTA_SCOPE_BEST_EFFORT) != spec.scopes().end();
  absl::string_view bare = name;
  if (!absl::ConsumePrefix(&bare, "requests.")) absl::ConsumePrefix(&bare, "limits.");
  if (pods || (!only_pods && IsCompute(bare))) return "";
  return absl::StrCat("the scopes are about pods, which have no such ", Quote(name),
                      only_pods ? "; with BestEffort only pods are counted"
                                : "; use pods, cpu and memory, or remove the scopes");
}

void CheckScopes(const v1::ResourceQuotaSpec& spec, const Path& path, Findings* findings) {
  const auto has = [&](v1::QuotaScope scope) {
    return std::find(spec.scopes().begin(), spec.scopes().end(), scope) != spec.scopes().end();
  };
  if (has(v1::QUOTA_SCOPE_TERMINATING) && has(v1::QUOTA_SCOPE_NOT_TERMINATING)) {
    findings->Add(path, "Terminating and NotTerminating describe no pod together; keep one");
  }
  if (has(v1::QUOTA_SCOPE_BEST_EFFORT) && has(v1::QUOTA_SCOPE_NOT_BEST_EFFORT)) {
    findings->Add(path, "BestEffort and NotBestEffort describe no pod together; keep one");
  }
}

}  // namespace

void DefaultLimitRange(v1::LimitRangeSpec* spec) {
  for (v1::LimitRangeItem& item : *spec->mutable_limits()) {
    for (Amounts* amounts :
         {item.mutable_min(), item.mutable_max(), item.mutable_default_(),
          item.mutable_default_request(), item.mutable_max_limit_request_ratio()}) {
      CanonicalizeAll(amounts);
    }
    if (item.type() != v1::LIMIT_TYPE_CONTAINER) continue;
    FillMissing(item.max(), item.mutable_default_());
    FillMissing(item.default_(), item.mutable_default_request());
    FillMissing(item.min(), item.mutable_default_request());
  }
}

void DefaultQuota(v1::ResourceQuotaSpec* spec) { CanonicalizeAll(spec->mutable_hard()); }

void CheckLimitRange(const v1::LimitRangeSpec& spec, Findings* findings) {
  const Path path = Path("spec") / "limits";
  std::set<v1::LimitType> types;
  for (int i = 0; i < spec.limits_size(); ++i) {
    const v1::LimitRangeItem& item = spec.limits(i);
    if (item.type() == v1::LIMIT_TYPE_UNSPECIFIED) {
      findings->Add(path.At(i) / "type",
                    "a type is missing; set Container, Pod or PersistentVolumeClaim");
      continue;
    }
    if (!types.insert(item.type()).second) {
      findings->Add(path.At(i) / "type",
                    absl::StrCat(EnumText(item.type()), " is there twice; make one of them"));
    }
    CheckItem(item, path.At(i), findings);
  }
}

void CheckQuota(const v1::ResourceQuotaSpec& spec, Findings* findings) {
  const Path path = Path("spec") / "hard";
  CheckScopes(spec, Path("spec") / "scopes", findings);
  for (const std::string& name : KeysInOrder(spec.hard())) {
    if (!IsCounted(name) && !IsSummed(name)) {
      findings->Add(path.Key(name),
                    absl::StrCat("nothing is counted as ", Quote(name),
                                 "; there are pods, services, services.nodeports, configmaps, "
                                 "secrets, persistentvolumeclaims, cpu, memory, requests.cpu, "
                                 "limits.memory, requests.storage, "
                                 "count/deployments.apps and so on"));
      continue;
    }
    findings->AddProblem(path.Key(name), ScopeProblem(spec, name));
    const auto amount = QuantityValue(spec.hard().at(name));
    if (!amount.ok()) {
      findings->Add(path.Key(name), std::string(amount.status().message()));
    } else if (*amount < 0) {
      findings->Add(path.Key(name),
                    absl::StrCat(Quote(spec.hard().at(name)), " is negative; use 0 or more"));
    }
  }
}

void CheckQuotaKept(const v1::ResourceQuotaSpec& before, const v1::ResourceQuotaSpec& after,
                    Findings* findings) {
  std::multiset<int> old(before.scopes().begin(), before.scopes().end());
  std::multiset<int> now(after.scopes().begin(), after.scopes().end());
  if (old == now) return;
  findings->Add(Path("spec") / "scopes", "they cannot change; delete the quota and create it anew");
}

}  // namespace cluster
