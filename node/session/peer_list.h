// What a message of assignments makes of the node's list of peers.
#pragma once

#include <algorithm>
#include <set>
#include <string>

#include "cluster/v1/session.pb.h"

namespace cluster::node {

using PeerList = google::protobuf::RepeatedPtrField<v1::Peer>;

// The whole list where the message has it; otherwise peers that are new or another replace those of
// the same name, and those that are gone go. False when the message says nothing of peers.
inline bool ChangePeers(const v1::Assignments& message, PeerList* peers) {
  const bool whole = message.complete() || message.peers_changed();
  if (whole) *peers = message.peers();
  if (message.new_peers().empty() && message.gone_peers().empty()) return whole;
  std::set<std::string> replaced(message.gone_peers().begin(), message.gone_peers().end());
  for (const v1::Peer& peer : message.new_peers()) replaced.insert(peer.node());
  peers->erase(std::remove_if(peers->begin(), peers->end(),
                              [&](const v1::Peer& peer) { return replaced.contains(peer.node()); }),
               peers->end());
  for (const v1::Peer& peer : message.new_peers()) *peers->Add() = peer;
  return true;
}

}  // namespace cluster::node
