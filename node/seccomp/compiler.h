// From a profile to what the kernel runs at each system call. bpf(2), seccomp(2)
//
// Rules of one call are tried in the order of the profile, those with argument tests first; then
// the first one without decides, and where there is none the profile's default. Where that is an
// error, calls with higher numbers than any that the profile speaks of give ENOSYS instead, as runc
// has it: whoever wrote it did not know them, and C libraries look for another way. Calls are found
// by a balanced search over ranges of numbers with one verdict, so a filter is a few hundred
// instructions and a call meets about ten of them.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "node/seccomp/profile.h"

namespace cluster::node {

// What decides which rules hold.
struct FilterContext {
  uint64_t capabilities = 0;  // of the container's bounding set
  KernelVersion kernel;
};

// InvalidArgument: a rule that denies a call that nobody knows (a misspelt name would leave that
// call allowed), or a filter over the kernel's 4096 instructions.
absl::StatusOr<std::vector<sock_filter>> CompileProfile(const SeccompProfile& profile,
                                                        const FilterContext& context);

// This kernel's, from uname(2).
KernelVersion RunningKernel();

}  // namespace cluster::node
