// The parts of `describe` that are about LimitRanges and ResourceQuotas.
#include <map>
#include <set>

#include "absl/strings/str_join.h"
#include "cli/output/describe.h"

#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

using Amounts = google::protobuf::Map<std::string, std::string>;

std::string AmountOr(const Amounts& amounts, const std::string& resource,
                     const std::string& otherwise) {
  const auto found = amounts.find(resource);
  return found == amounts.end() ? otherwise : found->second;
}

}  // namespace

void DescribeLimitRange(const v1::LimitRange& range, Description& text) {
  std::vector<Cells> rows = {{"Type", "Resource", "Min", "Max", "Default Request", "Default Limit",
                              "Max Limit/Request Ratio"},
                             {"----", "--------", "---", "---", "---------------", "-------------",
                              "-----------------------"}};
  for (const v1::LimitRangeItem& item : range.spec().limits()) {
    std::set<std::string> resources;
    for (const Amounts* amounts : {&item.min(), &item.max(), &item.default_(),
                                   &item.default_request(), &item.max_limit_request_ratio()}) {
      for (const auto& [resource, amount] : *amounts) resources.insert(resource);
    }
    for (const std::string& resource : resources) {
      rows.push_back({std::string(EnumText(item.type())), resource,
                      AmountOr(item.min(), resource, "-"), AmountOr(item.max(), resource, "-"),
                      AmountOr(item.default_request(), resource, "-"),
                      AmountOr(item.default_(), resource, "-"),
                      AmountOr(item.max_limit_request_ratio(), resource, "-")});
    }
  }
  text.Rows(0, rows);
}

void DescribeQuota(const v1::ResourceQuota& quota, Description& text) {
  std::vector<std::string> scopes;
  for (const int scope : quota.spec().scopes()) {
    scopes.emplace_back(EnumText(static_cast<v1::QuotaScope>(scope)));
  }
  if (!scopes.empty()) text.Field(0, "Scopes", absl::StrJoin(scopes, ", "));
  const std::map<std::string, std::string> hard(quota.status().hard().begin(),
                                                quota.status().hard().end());
  std::vector<Cells> rows = {{"Resource", "Used", "Hard"}, {"--------", "----", "----"}};
  for (const auto& [name, amount] : hard) {
    rows.push_back({name, AmountOr(quota.status().used(), name, "0"), amount});
  }
  text.Rows(0, rows);
}

}  // namespace cluster::cli
