// IPv4 and Ethernet addresses as plain values. Numbers are in host byte order, so that they add and
// compare as people expect.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster {

struct Ipv4 {
  uint32_t value = 0;
  friend auto operator<=>(const Ipv4&, const Ipv4&) = default;
};

// Dotted quad, four decimal numbers without leading zeros; InvalidArgument otherwise.
absl::StatusOr<Ipv4> ParseIpv4(absl::string_view text);
std::string ToString(Ipv4 address);

// An address with its prefix length. Also names an interface address (10.64.0.1/22), where the host
// bits count; Network() clears them.
struct Cidr {
  Ipv4 address;
  int prefix = 32;  // 0..32

  uint32_t Mask() const { return prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix); }
  Cidr Network() const { return Cidr{Ipv4{address.value & Mask()}, prefix}; }
  Ipv4 First() const { return Ipv4{address.value & Mask()}; }
  Ipv4 Last() const { return Ipv4{address.value | ~Mask()}; }
  bool Contains(Ipv4 other) const { return (other.value & Mask()) == (address.value & Mask()); }
  // True when every address of `other` lies in this range.
  bool Contains(const Cidr& other) const {
    return other.prefix >= prefix && Contains(other.address);
  }
  friend auto operator<=>(const Cidr&, const Cidr&) = default;
};

// "10.64.0.0/22"; InvalidArgument otherwise. Host bits are kept.
absl::StatusOr<Cidr> ParseCidr(absl::string_view text);
std::string ToString(const Cidr& cidr);

using Mac = std::array<uint8_t, 6>;

// "02:42:0a:40:00:02"
std::string ToString(const Mac& mac);

}  // namespace cluster
