#include "controller/cache/service_claims.h"

#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/service_types.h"

namespace cluster {

std::vector<std::string> ClaimsOf(const v1::Object& object) {
  std::vector<std::string> claims;
  if (!object.has_service()) return claims;
  const v1::ServiceSpec& spec = object.service().spec();
  if (TakesAddress(spec) && !spec.cluster_ip().empty()) claims.push_back(spec.cluster_ip());
  if (!TakesNodePorts(spec)) return claims;
  for (const v1::ServicePort& port : spec.ports()) {
    if (port.node_port() != 0) claims.push_back(NodePortClaim(port.protocol(), port.node_port()));
  }
  return claims;
}

std::string NodePortClaim(v1::Protocol protocol, int port) {
  return absl::StrCat(EnumText(protocol), "/", port);
}

}  // namespace cluster
