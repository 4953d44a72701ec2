// The variables by which a container finds the services of its namespace. Pure.
//
// NAME_SERVICE_HOST, NAME_SERVICE_PORT and, for each port, NAME_SERVICE_PORT_PORTNAME and those of
// Docker's links: NAME_PORT, NAME_PORT_80_TCP and its _PROTO, _PORT and _ADDR. NAME is the
// service's in capitals with '_' for '-'.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cluster/v1/routes.pb.h"

namespace cluster::node {

// Of those that have an address and ports, in the services' order.
std::vector<std::pair<std::string, std::string>> ServiceLinks(
    const std::vector<v1::ServiceRoute>& services);

}  // namespace cluster::node
