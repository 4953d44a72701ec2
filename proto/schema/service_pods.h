// What one pod is to a service: what the controller routes by, and what people are shown. Pure.
#pragma once

#include <cstdint>

#include "cluster/v1/pod.pb.h"
#include "cluster/v1/service.pb.h"

namespace cluster {

// The pod's labels have all of the service's selector; an empty one selects nobody, and neither
// does another name. Both are of one namespace.
bool Selects(const v1::ServiceSpec& service, const v1::Pod& pod);

// New connections may go there: it has an address, is ready (or the service asks for more than
// that), and neither ended nor is being ended.
bool Serves(const v1::ServiceSpec& service, const v1::Pod& pod);

// Its port behind `port`: the number, or what its containers (sidecars too) call it. 0: it has no
// such port.
int32_t TargetOf(const v1::ServicePort& port, const v1::Pod& pod);

}  // namespace cluster
