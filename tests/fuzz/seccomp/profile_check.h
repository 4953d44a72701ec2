// What must hold for any text given as a seccomp profile; shared by the fuzzer, its replay and the
// compiler's own tests.
#pragma once

#include <linux/seccomp.h>

#include <string>

#include "absl/strings/string_view.h"

#include "node/seccomp/compiler.h"

namespace cluster::node {

// "" when all is well, else what is wrong: an error is one sentence of bounded length; a profile
// that was read compiles to what the kernel takes, and that judges as JudgeByRules does.
std::string FindProfileFlaw(absl::string_view text);

// The same for a profile that is there already.
std::string FindCompilerFlaw(const SeccompProfile& profile, const FilterContext& context);

// Straight down the list of rules: what a filter has to say about a call of `arch`.
uint32_t JudgeByRules(const SeccompProfile& profile, const FilterContext& context, FilterArch arch,
                      const seccomp_data& call);

}  // namespace cluster::node
