#include "controller/admission/quotas.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cluster::controller {
namespace {

void ForEachIn(const View& view, const Kind& kind, const std::string& name_space,
               const std::function<void(const EntryPtr&)>& visit) {
  const std::string prefix = absl::StrCat(kind.plural, "/", name_space, "/");
  for (const auto& [key, entry] : view.All(kind.object_case).Under(prefix)) visit(entry);
}

// What of it a quota is about.
QuotaAmounts Counted(const v1::ResourceQuotaSpec& spec, const QuotaAmounts& hard,
                     const v1::Object& object) {
  QuotaAmounts counted;
  if (!InScope(spec, object)) return counted;
  for (const auto& [name, amount] : UsageOf(object)) {
    if (amount != 0 && hard.contains(name)) counted[name] = amount;
  }
  return counted;
}

// "pods=1,requests.cpu=500m", of the names in `names`.
std::string Text(const QuotaAmounts& amounts, const QuotaAmounts& names) {
  std::vector<std::string> parts;
  for (const auto& [name, unused] : names) {
    const auto found = amounts.find(name);
    parts.push_back(absl::StrCat(
        name, "=", FormatQuotaAmount(name, found == amounts.end() ? 0 : found->second)));
  }
  return absl::StrJoin(parts, ",");
}

}  // namespace

QuotaBook::QuotaBook(const View& view, const std::string& name_space) {
  ForEachIn(view, KindOf(v1::Object::kResourceQuota), name_space, [this](const EntryPtr& entry) {
    Quota quota{entry, {}, {}};
    for (const auto& [name, text] : entry->object.resource_quota().spec().hard()) {
      quota.hard[name] = QuotaAmount(name, text).value_or(0);
      quota.used[name] = 0;
    }
    quotas_.push_back(std::move(quota));
  });
  if (quotas_.empty()) return;
  for (const Kind& kind : AllKinds()) {
    if (!kind.namespaced || kind.object_case == v1::Object::kEvent) continue;
    ForEachIn(view, kind, name_space, [this](const EntryPtr& entry) {
      for (Quota& quota : quotas_) {
        const auto& spec = quota.entry->object.resource_quota().spec();
        for (const auto& [name, amount] : Counted(spec, quota.hard, entry->object)) {
          quota.used[name] += amount;
        }
      }
    });
  }
}

std::string QuotaBook::Refusal(const Quota& quota, const QuotaAmounts& more) {
  QuotaAmounts exceeded;
  for (const auto& [name, amount] : more) {
    if (amount > 0 && quota.used.at(name) + amount > quota.hard.at(name)) exceeded[name] = amount;
  }
  if (exceeded.empty()) return "";
  return absl::StrCat("exceeded quota: ", Meta(quota.entry->object).name(),
                      ", requested: ", Text(more, exceeded), ", used: ", Text(quota.used, exceeded),
                      ", limited: ", Text(quota.hard, exceeded));
}

std::string QuotaBook::Admit(const v1::Object* before, const v1::Object& after) {
  std::vector<QuotaAmounts> changes;
  for (const Quota& quota : quotas_) {
    const v1::ResourceQuotaSpec& spec = quota.entry->object.resource_quota().spec();
    QuotaAmounts& more = changes.emplace_back(Counted(spec, quota.hard, after));
    if (before == nullptr && after.has_pod() && InScope(spec, after)) {
      const std::string unsaid = Unsaid(spec, after.pod().spec());
      if (!unsaid.empty()) {
        return absl::StrCat("failed quota: ", Meta(quota.entry->object).name(), ": ", unsaid);
      }
    }
    if (before != nullptr) {
      for (const auto& [name, amount] : Counted(spec, quota.hard, *before)) more[name] -= amount;
    }
    if (std::string refusal = Refusal(quota, more); !refusal.empty()) return refusal;
  }
  for (size_t i = 0; i < quotas_.size(); ++i) {
    for (const auto& [name, amount] : changes[i]) {
      if (amount == 0) continue;
      quotas_[i].used[name] += amount;
      quotas_[i].counted = true;
    }
  }
  return "";
}

std::vector<QuotaBook::Updated> QuotaBook::Quotas() const {
  std::vector<Updated> updated;
  for (const Quota& quota : quotas_) {
    v1::Object after = quota.entry->object;
    v1::ResourceQuotaStatus* status = after.mutable_resource_quota()->mutable_status();
    *status->mutable_hard() = after.resource_quota().spec().hard();
    status->clear_used();
    for (const auto& [name, amount] : quota.used) {
      (*status->mutable_used())[name] = FormatQuotaAmount(name, amount);
    }
    updated.push_back({quota.entry, std::move(after), quota.counted});
  }
  return updated;
}

}  // namespace cluster::controller
