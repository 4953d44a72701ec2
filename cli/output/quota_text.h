// ResourceQuotas in the words of kubectl's table. Pure.
#pragma once

#include <string>

#include "cluster/v1/resourcequota.pb.h"

namespace cluster::cli {

// "pods: 2/10, requests.cpu: 500m/1": what is used of what there is; of the limits, or of all
// others.
std::string QuotaText(const v1::ResourceQuota& quota, bool limits);

}  // namespace cluster::cli
