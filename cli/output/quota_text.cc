#include "cli/output/quota_text.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cluster::cli {

std::string QuotaText(const v1::ResourceQuota& quota, bool limits) {
  const auto& hard = quota.status().hard();
  const std::map<std::string, std::string> sorted(hard.begin(), hard.end());
  std::string text;
  for (const auto& [name, amount] : sorted) {
    if (absl::StartsWith(name, "limits.") != limits) continue;
    const auto used = quota.status().used().find(name);
    absl::StrAppend(&text, text.empty() ? "" : ", ", name, ": ",
                    used == quota.status().used().end() ? "0" : used->second, "/", amount);
  }
  return text;
}

}  // namespace cluster::cli
