#include "base/ipv4.h"

#include <arpa/inet.h>

#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster {

absl::StatusOr<Ipv4> ParseIpv4(absl::string_view text) {
  in_addr parsed;
  if (inet_pton(AF_INET, std::string(text).c_str(), &parsed) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not an IPv4 address"));
  }
  return Ipv4{ntohl(parsed.s_addr)};
}

std::string ToString(Ipv4 address) {
  const uint32_t v = address.value;
  return absl::StrCat(v >> 24, ".", (v >> 16) & 255, ".", (v >> 8) & 255, ".", v & 255);
}

absl::StatusOr<Cidr> ParseCidr(absl::string_view text) {
  const size_t slash = text.find('/');
  int prefix = 0;
  if (slash == absl::string_view::npos || !absl::SimpleAtoi(text.substr(slash + 1), &prefix) ||
      prefix < 0 || prefix > 32) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not an address range like 10.64.0.0/22"));
  }
  ASSIGN_OR_RETURN(const Ipv4 address, ParseIpv4(text.substr(0, slash)));
  return Cidr{address, prefix};
}

std::string ToString(const Cidr& cidr) {
  return absl::StrCat(ToString(cidr.address), "/", cidr.prefix);
}

std::string ToString(const Mac& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                mac[4], mac[5]);
  return text;
}

}  // namespace cluster
