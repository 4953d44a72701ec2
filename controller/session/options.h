// The figures of node sessions.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace cluster::controller {

struct SessionOptions {
  // A node beats this often (+-10 %, see Welcome).
  absl::Duration beat = absl::Seconds(1);
  int ttl_beats = 4;
  // A node counts as lost when nothing was heard of it for ttl() + margin: by then it has noticed
  // itself. Less than 2 s, so that a replacement runs 6 s after the last beat.
  absl::Duration margin = absl::Milliseconds(1500);
  // After a change was sent, how long further ones are gathered.
  absl::Duration hold = absl::Milliseconds(50);
  // For a node to dial back when a stream is asked for.
  absl::Duration dial_back_timeout = absl::Seconds(10);
  // For all ready nodes to unpack an archive.
  absl::Duration load_timeout = absl::Minutes(10);
  std::string cluster_cidr = "10.64.0.0/10";
  int node_cidr_bits = 22;

  absl::Duration ttl() const { return beat * ttl_beats; }
};

}  // namespace cluster::controller
