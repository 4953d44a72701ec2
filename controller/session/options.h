// The figures of node sessions.
#pragma once

#include <cstddef>
#include <string>

#include "absl/time/time.h"

#include "proto/schema/session_terms.h"

namespace cluster::controller {

struct SessionOptions {
  // A node beats this often (+-10 %, see Welcome) in a cluster of up to nodes_per_beat nodes, half
  // as often up to twice as many, and so on down to one beat in slowest_beats (see pace.h).
  absl::Duration beat = absl::Seconds(1);
  int ttl_beats = 4;
  size_t nodes_per_beat = 2000;
  size_t slowest_beats = 5;
  // A node counts as lost when nothing was heard of it for ttl() + margin: by then it has noticed
  // itself. Less than 2 s, so that a replacement runs 6 s after the last beat.
  absl::Duration margin = absl::Milliseconds(1500);
  // After a change was sent, how long further ones are gathered.
  absl::Duration hold = absl::Milliseconds(20);
  // The same of peers, for each node of the cluster: that all hear of all costs its square.
  absl::Duration peer_hold_per_node = absl::Milliseconds(1);
  // The same of routes.
  absl::Duration route_hold_per_node = absl::Microseconds(100);
  // A pod that was behind a service ends when every node routes around it, or after this.
  absl::Duration drain_patience = absl::Seconds(5);
  // And so much later: connections that were on their way are taken and answered, also one whose
  // first packet was lost, which is sent again after a second (RFC 6298).
  absl::Duration drain_pause = absl::Milliseconds(1500);
  // The range of all services' addresses.
  std::string service_cidr = "10.60.0.0/16";
  // Sessions that begin (see admission_queue.h).
  int admissions_per_second = kSessionsPerSecond;
  int admission_burst = 50;
  int admissions_abreast = 32;
  // For a node to dial back when a stream is asked for.
  absl::Duration dial_back_timeout = absl::Seconds(10);
  // For all ready nodes to unpack an archive.
  absl::Duration load_timeout = absl::Minutes(10);
  std::string cluster_cidr = "10.64.0.0/10";
  int node_cidr_bits = 22;

  absl::Duration ttl() const { return beat * ttl_beats; }
};

}  // namespace cluster::controller
