// What workloads have in common: pods by a template, a selector of them, and parts of their number.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/v1/meta.pb.h"
#include "cluster/v1/pod.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// What holds for the template of every kind.
void CheckAnyTemplate(const v1::PodTemplateSpec& pod_template, const Path& path,
                      Findings* findings);
// The template of pods that are kept running.
void CheckTemplate(const v1::PodTemplateSpec& pod_template, const Path& path, Findings* findings);

// spec.selector, which must match the labels of spec.template.
void CheckSelectorOf(const v1::LabelSelector& selector, const v1::PodTemplateSpec& pod_template,
                     Findings* findings);

// A number or a percentage, not negative; `most_percent` 0: no bound.
void CheckPart(const std::string& text, int most_percent, const Path& path, Findings* findings);
bool IsNoPart(const std::string& text);

void CheckNotNegative(int64_t number, const Path& path, Findings* findings);

}  // namespace cluster
