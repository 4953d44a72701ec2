// Asks the name servers of the machine, one after the other: for names that are none of the
// cluster's. Each question has a socket of its own, connected, on a port that the kernel chooses,
// and a random id: an answer that nobody asked for does not fit (RFC 5452).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

#include "base/clock.h"
#include "base/ipv4.h"
#include "node/dns/reactor.h"

namespace cluster::node {

// On the reactor's thread.
class Upstream {
 public:
  // Empty: nobody answered.
  using Done = std::function<void(std::string answer)>;
  // Addresses of either family, as in resolv.conf(5); read for each question.
  using ListServers = std::function<std::vector<std::string>()>;

  Upstream(Reactor* reactor, const Clock* clock, ListServers servers, uint16_t port);
  ~Upstream();

  // `query` is a whole message. The answer has its id. By UDP, or by TCP: what comes back may be
  // truncated, or not. For each asker and for all together only so many at a time; what is more
  // than that is not answered.
  void Ask(std::string query, Ipv4 asker, bool by_stream, Done done);
  // Ourselves, who would ask here again.
  void LeaveOut(Ipv4 address) { left_out_ = ToString(address); }

 private:
  struct Exchange;

  Exchange* Find(uint64_t number);
  std::vector<std::string> Servers();
  void TryNext(uint64_t number);
  bool Begin(Exchange* exchange, const std::string& server);
  void Ready(uint64_t number, uint32_t events);
  void ReadDatagram(Exchange* exchange);
  void Stream(Exchange* exchange, uint32_t events);
  void Take(Exchange* exchange, absl::string_view message);
  void CloseSocket(Exchange* exchange);
  void Finish(uint64_t number, std::string answer);

  Reactor* const reactor_;
  const Clock* const clock_;
  const ListServers list_servers_;
  const uint16_t port_;
  std::string left_out_;
  absl::flat_hash_map<std::string, absl::Duration> silent_until_;
  std::map<uint64_t, std::unique_ptr<Exchange>> exchanges_;
  std::map<Ipv4, int> by_asker_;
  uint64_t next_ = 1;
};

}  // namespace cluster::node
