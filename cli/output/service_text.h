// Services in words, as kubectl writes them. Pure.
#pragma once

#include <string>
#include <vector>

#include "cluster/v1/object.pb.h"

namespace cluster::cli {

// "10.60.0.7", "None", or "<none>" where there is no address.
std::string ClusterIpText(const v1::Service& service);
// "<none>"; "<pending>" for a LoadBalancer, which nobody here gives an address; of an ExternalName,
// the name that it stands for.
std::string ExternalIpText(const v1::Service& service);
// "80/TCP,443:30443/TCP"; "<none>" without ports.
std::string ServicePortsText(const v1::Service& service);

// "10.64.0.5:8080" for each of `pods` that the service leads to by this port, in the order of
// names: those with all labels of the selector that are ready (or have an address, where the
// service publishes those too), are not ending, and have the port if it is one by name.
std::vector<std::string> EndpointsOf(const v1::Service& service, const v1::ServicePort& port,
                                     const std::vector<v1::Pod>& pods);
// The first three, then "+ 2 more..."; "<none>".
std::string EndpointsText(const std::vector<std::string>& endpoints);

}  // namespace cluster::cli
