// What the journal knows about a pod's network, and the names that follow from it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/ipv4.h"

namespace cluster::node {

enum class Protocol : uint8_t { kTcp, kUdp, kSctp };
inline constexpr Protocol kProtocols[] = {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp};
absl::string_view NameOf(Protocol protocol);  // "tcp"
// Any case; InvalidArgument for an unknown word.
absl::StatusOr<Protocol> ParseProtocol(absl::string_view name);

// A port of the node that leads to a port of the pod.
struct PublishedPort {
  Protocol protocol = Protocol::kTcp;
  Ipv4 host_ip;  // 0.0.0.0 = every address of the node
  uint16_t host_port = 0;
  uint16_t pod_port = 0;
  friend auto operator<=>(const PublishedPort&, const PublishedPort&) = default;
};

// Two that cannot both be had: same protocol and port, addresses equal or one of them "every".
bool Collide(const PublishedPort& a, const PublishedPort& b);

struct AddressLease {
  Ipv4 address;
  std::vector<PublishedPort> ports;
  std::string link = "";  // the host end of its veth; empty: PodLinkName of the uid
  friend bool operator==(const AddressLease&, const AddressLease&) = default;
};

// As kept in the journal: "10.64.0.5 @vpabc tcp:0.0.0.0:8080:80 ...".
std::string EncodeLease(const AddressLease& lease);
absl::StatusOr<AddressLease> DecodeLease(absl::string_view text);  // DataLoss

std::string LinkNameOf(absl::string_view uid, const AddressLease& lease);
// The host end of a pod's veth: the same for the same uid, 14 characters, not to be met again by a
// later pod.
std::string PodLinkName(absl::string_view uid);
inline constexpr char kPodLinkPrefix[] = "vp";

// 02:63 and the four bytes of the address: an address keeps its MAC, so no neighbour table goes
// stale.
Mac PodMac(Ipv4 address);
// 02:62 and a hash of the node's name.
Mac BridgeMac(absl::string_view node);

}  // namespace cluster::node
