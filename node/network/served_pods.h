// Pods that answer by the node. A pod that calls a pod of its own node through a service must get
// the answer from the service's address, but the bridge would carry it past all translation. So
// both directions between a served pod and its neighbours are handed to the node, which routes
// them: in a table of the bridge family, before the bridge looks where a frame goes. The caller
// keeps its address. (Both, not the answers alone: tracking that sees one half of a direct
// connection could take its answers for those of a translated one from the same port.)
//
// A pod is served from the first time that it is a backend here until its address is given back,
// not just until it leaves its service: its connections go on. Text and parsing, pure.
#pragma once

#include <set>
#include <string>

#include "absl/strings/string_view.h"

#include "base/ipv4.h"

namespace cluster::node {

// Commands that make the bridge's table, or bring an older one up to date; the set of served pods
// stays. `mac`: the bridge's.
std::string ServedBridgeRules(const std::string& table, const Cidr& pods, const Mac& mac);
// Commands after which there is no such table.
std::string DeleteServedBridgeRules(const std::string& table);

// Commands for the sets of both tables, which go together.
std::string AddServed(const std::string& table, const std::set<Ipv4>& pods);
// Whether or not it is there.
std::string RemoveServed(const std::string& table, Ipv4 pod);
std::string AllServed(const std::string& table, const std::set<Ipv4>& pods);

// Asks for what the set holds, and reads the answer.
std::string ListServed(const std::string& table);
std::set<Ipv4> ParseServed(absl::string_view listing);

}  // namespace cluster::node
