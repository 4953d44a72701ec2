// Image locality: what it is worth that a node has the images of a pod.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/v1/node.pb.h"

namespace cluster::controller {

// As nodes list it: with a tag, without the default registry.
std::string ListedImageName(const std::string& image);

// Bytes of the image that need not be fetched, less where few nodes have it, so that pods do not
// crowd on the first node that does; 0 when the node does not have it. As Kubernetes counts.
int64_t WorthOf(const v1::Node& node, const std::string& image, int nodes_with_it, int all_nodes);

// 0 (nothing worth it) to 1000, of the worths of a pod's images added up.
int64_t ImageScore(int64_t worth, size_t containers);

}  // namespace cluster::controller
