#include "node/network/served_pods.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

#include "node/network/lease.h"

namespace cluster::node {
namespace {

// $TABLE, $LINKS, $PODS and $MAC are filled in. "other": to a single address that is not the
// bridge's; what goes to all is not touched. Frames of other bridges pass here, too.
constexpr absl::string_view kBridgeRules = R"(add table bridge $TABLE
add set bridge $TABLE served { type ipv4_addr; }
add chain bridge $TABLE routed
add chain bridge $TABLE frames { type filter hook prerouting priority -300; policy accept; }
flush chain bridge $TABLE routed
flush chain bridge $TABLE frames
add rule bridge $TABLE routed ether daddr set $MAC meta pkttype set host accept
add rule bridge $TABLE frames iifname != "$LINKS*" accept
add rule bridge $TABLE frames meta pkttype != other accept
add rule bridge $TABLE frames ip saddr $PODS ip daddr @served goto routed
add rule bridge $TABLE frames ip daddr $PODS ip saddr @served goto routed
)";

// The verb's elements of all three sets: those of the node's table twice, as nft cannot compare
// source and destination with each other.
std::string Elements(absl::string_view verb, const std::string& table, const std::set<Ipv4>& pods) {
  if (pods.empty()) return "";
  const std::string plain =
      absl::StrJoin(pods, ", ", [](std::string* out, Ipv4 pod) { *out += ToString(pod); });
  const std::string twice = absl::StrJoin(pods, ", ", [](std::string* out, Ipv4 pod) {
    absl::StrAppend(out, ToString(pod), " . ", ToString(pod));
  });
  return absl::StrCat(verb, " element ip ", table, " served { ", plain, " }\n",  //
                      verb, " element ip ", table, " hairpins { ", twice, " }\n", verb,
                      " element bridge ", table, " served { ", plain, " }\n");
}

}  // namespace

std::string ServedBridgeRules(const std::string& table, const Cidr& pods, const Mac& mac) {
  return absl::StrReplaceAll(kBridgeRules, {{"$TABLE", table},
                                            {"$LINKS", kPodLinkPrefix},
                                            {"$PODS", ToString(pods.Network())},
                                            {"$MAC", ToString(mac)}});
}

std::string DeleteServedBridgeRules(const std::string& table) {
  return absl::StrCat("add table bridge ", table, "\ndelete table bridge ", table, "\n");
}

std::string AddServed(const std::string& table, const std::set<Ipv4>& pods) {
  return Elements("add", table, pods);
}

std::string RemoveServed(const std::string& table, Ipv4 pod) {
  // Added first: deleting what is not there would refuse the whole.
  return absl::StrCat(Elements("add", table, {pod}), Elements("delete", table, {pod}));
}

std::string AllServed(const std::string& table, const std::set<Ipv4>& pods) {
  return absl::StrCat("flush set ip ", table, " served\nflush set ip ", table,
                      " hairpins\nflush set bridge ", table, " served\n",
                      Elements("add", table, pods));
}

std::string ListServed(const std::string& table) {
  return absl::StrCat("list set ip ", table, " served");
}

std::set<Ipv4> ParseServed(absl::string_view listing) {
  std::set<Ipv4> pods;
  for (const absl::string_view word :
       absl::StrSplit(listing, absl::ByAnyChar(" ,{}\t\n"), absl::SkipEmpty())) {
    const auto address = ParseIpv4(word);
    if (address.ok()) pods.insert(*address);
  }
  return pods;
}

}  // namespace cluster::node
