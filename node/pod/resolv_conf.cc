#include "node/pod/resolv_conf.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace cluster::node {
namespace {

// What resolv.conf(5) and the C libraries heed at most.
constexpr size_t kMaxNameservers = 3;
constexpr size_t kMaxSearches = 32;

template <typename Item>
void AddOnce(const Item& item, std::vector<Item>* items) {
  if (std::find(items->begin(), items->end(), item) == items->end()) items->push_back(item);
}

void SetOption(const std::string& name, const std::string& value, ResolverConfig* config) {
  for (auto& [known, old] : config->options) {
    if (known != name) continue;
    old = value;
    return;
  }
  config->options.emplace_back(name, value);
}

std::string Print(const ResolverConfig& config) {
  std::string text;
  for (size_t i = 0; i < std::min(config.nameservers.size(), kMaxNameservers); ++i) {
    absl::StrAppend(&text, "nameserver ", config.nameservers[i], "\n");
  }
  if (!config.searches.empty()) {
    const auto end = config.searches.begin() +
                     static_cast<std::ptrdiff_t>(std::min(config.searches.size(), kMaxSearches));
    absl::StrAppend(&text, "search ", absl::StrJoin(config.searches.begin(), end, " "), "\n");
  }
  if (!config.options.empty()) {
    absl::StrAppend(&text, "options ", absl::StrJoin(config.options, " ", absl::PairFormatter("")),
                    "\n");
  }
  return text;
}

bool AsksTheCluster(const v1::PodSpec& spec) {
  if (spec.dns_policy() == v1::DNS_POLICY_CLUSTER_FIRST_WITH_HOST_NET) return true;
  return !spec.host_network() && (spec.dns_policy() == v1::DNS_POLICY_CLUSTER_FIRST ||
                                  spec.dns_policy() == v1::DNS_POLICY_UNSPECIFIED);
}

// Names of its own namespace in short, those of others with it, and all that the node itself finds
// by a short name.
ResolverConfig ClusterConfig(const std::string& name_space, const NodeResolver& resolver) {
  ResolverConfig config;
  config.nameservers = {resolver.cluster_server};
  const std::string& domain = resolver.cluster_domain;
  config.searches = {absl::StrCat(name_space, ".svc.", domain), absl::StrCat("svc.", domain),
                     domain};
  for (const std::string& search : ParseResolvConf(resolver.resolv_conf).searches) {
    AddOnce(search, &config.searches);
  }
  config.options = {{"ndots", ":5"}};
  return config;
}

}  // namespace

ResolverConfig ParseResolvConf(absl::string_view text) {
  ResolverConfig config;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = line.substr(0, line.find_first_of("#;"));
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.size() < 2) continue;
    if (words[0] == "nameserver") AddOnce(words[1], &config.nameservers);
    if (words[0] == "search" || words[0] == "domain") {
      config.searches.assign(words.begin() + 1, words.end());
    }
    if (words[0] != "options") continue;
    for (size_t i = 1; i < words.size(); ++i) {
      const size_t colon = std::min(words[i].find(':'), words[i].size());
      SetOption(words[i].substr(0, colon), words[i].substr(colon), &config);
    }
  }
  return config;
}

absl::StatusOr<std::string> ResolvConf(const v1::Pod& pod, const NodeResolver& resolver) {
  const v1::PodSpec& spec = pod.spec();
  ResolverConfig config;
  if (AsksTheCluster(spec)) {
    if (resolver.cluster_server.empty()) {
      return absl::UnavailableError(
          "the node has no range of addresses yet, and so nowhere to answer for names");
    }
    config = ClusterConfig(pod.metadata().namespace_(), resolver);
  } else if (spec.dns_policy() != v1::DNS_POLICY_NONE) {
    config = ParseResolvConf(resolver.resolv_conf);
  }
  for (const std::string& server : spec.dns_config().nameservers()) {
    AddOnce(server, &config.nameservers);
  }
  for (const std::string& search : spec.dns_config().searches()) {
    AddOnce(search, &config.searches);
  }
  for (const v1::PodDnsConfigOption& option : spec.dns_config().options()) {
    SetOption(option.name(), option.has_value() ? absl::StrCat(":", option.value()) : "", &config);
  }
  return Print(config);
}

}  // namespace cluster::node
