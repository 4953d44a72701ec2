// The last steps before exec: who the process is and what it may do. Freestanding. capabilities(7).
// All of them fail with Fail().
#pragma once

#include <stdint.h>

#include "node/init/launch.h"
#include "node/process/user_lookup.h"

namespace cluster::init {

// The plan's user, looked up in the open root's /etc/passwd and /etc/group, with the plan's group
// and supplemental groups.
void ResolveUser(int root, const Launch& launch, UserIds* out, int channel);

// In a user namespace that was just entered: its id 0, alone in its groups, and nobody may look
// into the process.
void BecomeNamespaceRoot(int channel);

// Bounding set, groups, ids, then permitted and effective = the plan's capabilities for uid 0 and
// empty for everybody else; inheritable and ambient empty; no_new_privs when asked; ended with its
// parent; the plan's system call filter. Nothing but execve may follow.
void BecomeUser(const UserIds& user, const Launch& launch, int channel);

}  // namespace cluster::init
