// What create and run have in common.
#pragma once

#include "base/status.h"
#include "node/oci/commands/command.h"
#include "node/oci/start.h"

namespace cluster::oci {

inline constexpr Flag kStartFlags[] = {
    {"bundle", 'b', Flag::kValue, "DIR", "the bundle; default: the working directory"},
    {"config", 'f', Flag::kValue, "FILE", "its configuration; default: config.json"},
    {"console-socket", 0, Flag::kValue, "PATH", "unix socket that receives the terminal"},
    {"pid-file", 0, Flag::kValue, "PATH", "where to write the pid of the container's process"},
    {"preserve-fds", 0, Flag::kValue, "N", "hand descriptors 3 to 2+N on"},
    {"no-pivot", 0, Flag::kSwitch, nullptr, "chroot, for roots that cannot be pivoted (initramfs)"},
    {"no-new-keyring", 0, Flag::kSwitch, nullptr, "keep the caller's session keyring"},
    // Of run alone.
    {"detach", 'd', Flag::kSwitch, nullptr, "return as soon as the container runs"},
    {"keep", 0, Flag::kSwitch, nullptr, "do not delete the container when it has ended"},
    {"no-subreaper", 0, Flag::kSwitch, nullptr, "accepted: this runtime never is one"}};

StartOptions StartOptionsOf(const Call& call);

}  // namespace cluster::oci
