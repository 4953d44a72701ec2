// Jobs and CronJobs: what they leave out, and what they may say.
#pragma once

#include "cluster/v1/object.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// On the pods of a job, and in its template: the job's uid and name, and the older form of both.
inline constexpr char kJobUidLabel[] = "batch.kubernetes.io/controller-uid";
inline constexpr char kJobNameLabel[] = "batch.kubernetes.io/job-name";
inline constexpr char kOldJobUidLabel[] = "controller-uid";
inline constexpr char kOldJobNameLabel[] = "job-name";

// All but the pod template's own defaults.
void DefaultJobSpec(v1::JobSpec* spec);
// The selector and the labels that pods of this job are known by; nothing while it has no uid, and
// nothing that the user has written is replaced.
void DefaultJobSelector(v1::Job* job);
void DefaultCronJobSpec(v1::CronJobSpec* spec);

void CheckJob(const v1::Job& job, Findings* findings);
void CheckCronJob(const v1::CronJob& cron_job, Findings* findings);

void CheckJobKept(const v1::JobSpec& before, const v1::JobSpec& after, Findings* findings);

}  // namespace cluster
