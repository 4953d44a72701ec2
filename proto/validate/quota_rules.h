// LimitRanges and ResourceQuotas: what they leave out, and what they may say.
#pragma once

#include "cluster/v1/object.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// The default limit is the maximum; the default request is the default limit, else the minimum.
void DefaultLimitRange(v1::LimitRangeSpec* spec);
void DefaultQuota(v1::ResourceQuotaSpec* spec);

void CheckLimitRange(const v1::LimitRangeSpec& spec, Findings* findings);
void CheckQuota(const v1::ResourceQuotaSpec& spec, Findings* findings);

void CheckQuotaKept(const v1::ResourceQuotaSpec& before, const v1::ResourceQuotaSpec& after,
                    Findings* findings);

}  // namespace cluster
