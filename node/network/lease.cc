#include "node/network/lease.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace cluster::node {
namespace {

// FNV-1a, 64 bits: names need spread, not secrecy.
uint64_t HashOf(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) {
    hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  }
  return hash;
}

absl::StatusOr<uint16_t> ParsePort(absl::string_view text) {
  uint32_t port = 0;
  if (absl::SimpleAtoi(text, &port) && port > 0 && port <= 65535) {
    return static_cast<uint16_t>(port);
  }
  return absl::DataLossError(absl::StrCat("'", text, "' is not a port"));
}

absl::StatusOr<PublishedPort> DecodePort(absl::string_view text) {
  const std::vector<absl::string_view> fields = absl::StrSplit(text, ':');
  if (fields.size() != 4) return absl::DataLossError(absl::StrCat("bad port '", text, "'"));
  PublishedPort port;
  ASSIGN_OR_RETURN(port.protocol, ParseProtocol(fields[0]));
  ASSIGN_OR_RETURN(port.host_ip, ParseIpv4(fields[1]));
  ASSIGN_OR_RETURN(port.host_port, ParsePort(fields[2]));
  ASSIGN_OR_RETURN(port.pod_port, ParsePort(fields[3]));
  return port;
}

}  // namespace

absl::string_view NameOf(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    case Protocol::kSctp:
      return "sctp";
  }
  return "";
}

absl::StatusOr<Protocol> ParseProtocol(absl::string_view name) {
  for (const Protocol protocol : kProtocols) {
    if (absl::AsciiStrToLower(name) == NameOf(protocol)) return protocol;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is not a protocol: use TCP, UDP or SCTP"));
}

bool Collide(const PublishedPort& a, const PublishedPort& b) {
  return a.protocol == b.protocol && a.host_port == b.host_port &&
         (a.host_ip == b.host_ip || a.host_ip == Ipv4{} || b.host_ip == Ipv4{});
}

std::string EncodeLease(const AddressLease& lease) {
  std::string text = ToString(lease.address);
  if (!lease.link.empty()) absl::StrAppend(&text, " @", lease.link);
  for (const PublishedPort& port : lease.ports) {
    absl::StrAppend(&text, " ", NameOf(port.protocol), ":", ToString(port.host_ip), ":",
                    port.host_port, ":", port.pod_port);
  }
  return text;
}

absl::StatusOr<AddressLease> DecodeLease(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  const auto address = ParseIpv4(words[0]);
  if (!address.ok()) {
    return absl::DataLossError(absl::StrCat("address lease '", text, "' cannot be read"));
  }
  AddressLease lease{*address, {}};
  for (size_t i = 1; i < words.size(); ++i) {
    if (absl::StartsWith(words[i], "@")) {
      lease.link = std::string(words[i].substr(1));
      continue;
    }
    const auto port = DecodePort(words[i]);
    if (!port.ok()) {
      return absl::DataLossError(
          absl::StrCat("address lease '", text, "' cannot be read: ", port.status().message()));
    }
    lease.ports.push_back(*port);
  }
  return lease;
}

std::string LinkNameOf(absl::string_view uid, const AddressLease& lease) {
  return lease.link.empty() ? PodLinkName(uid) : lease.link;
}

std::string PodLinkName(absl::string_view uid) {
  constexpr absl::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
  uint64_t hash = HashOf(uid);
  std::string name = kPodLinkPrefix;
  for (int i = 0; i < 12; ++i) {
    name.push_back(kDigits[hash & 31]);
    hash >>= 5;
  }
  return name;
}

Mac PodMac(Ipv4 address) {
  const uint32_t v = address.value;
  return Mac{0x02,
             0x63,
             static_cast<uint8_t>(v >> 24),
             static_cast<uint8_t>(v >> 16),
             static_cast<uint8_t>(v >> 8),
             static_cast<uint8_t>(v)};
}

Mac BridgeMac(absl::string_view node) {
  const uint64_t hash = HashOf(node);
  return Mac{0x02,
             0x62,
             static_cast<uint8_t>(hash >> 24),
             static_cast<uint8_t>(hash >> 16),
             static_cast<uint8_t>(hash >> 8),
             static_cast<uint8_t>(hash)};
}

}  // namespace cluster::node
