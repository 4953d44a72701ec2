// How a cluster-init comes to be: by fork, twice, with no program to load on its pod's way.
//
//   template      executed once by an agent, waits on descriptor 3 for kMould
//   mould         forked by it; waits on a socket of its own for kBecome, and where it was told to
//                 be ready it has by then made the namespaces that a pod usually has
//   cluster-init  forked by the mould into the pod's cgroup, with all of that; the mould ends, and
//                 its socket becomes cluster-init's first conversation
//
// A template or mould ends when the agent's end of its socket is closed. The template is the parent
// of all, and nobody has to reap them.
#pragma once

#include <stddef.h>

namespace cluster::init {

// `title` is writable memory of `title_size` bytes that others see as the process's argument.
struct Title {
  char* text = nullptr;
  size_t size = 0;
};

// Returns in each new cluster-init, with pod_state's options and namespaces set and the pod's own
// log for stderr.
struct Birth {
  int listener = -1;
  int conversation = -1;
  int lease = -1;  // the node's, of a pod that exists once
};
Birth AwaitBirth(int channel, Title title);

}  // namespace cluster::init
