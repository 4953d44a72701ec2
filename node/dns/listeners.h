// Where queries come in: UDP and TCP on one address. Only callers of one range are heard, and each
// for no more than its share of the thread's time; messages are bytes here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "base/ipv4.h"
#include "base/unique_handle.h"
#include "node/dns/fair_share.h"
#include "node/dns/reactor.h"

namespace cluster::node {

struct NameCaller {
  Ipv4 address;
  bool by_stream = false;
};
// An empty answer is none. Later, too; not after the listener is gone.
using NameReply = std::function<void(const std::string& answer)>;
using NameHandler =
    std::function<void(const std::string& message, const NameCaller& caller, NameReply reply)>;

// Both on the reactor's thread, all of them.
class DatagramListener {
 public:
  // Errors: what socket(2) and bind(2) say.
  static absl::StatusOr<std::shared_ptr<DatagramListener>> Listen(Ipv4 address, uint16_t port,
                                                                  const Cidr& callers,
                                                                  NameHandler handler,
                                                                  FairShare* share,
                                                                  Reactor* reactor);
  ~DatagramListener();

 private:
  DatagramListener(const Cidr& callers, NameHandler handler, FairShare* share, Reactor* reactor)
      : callers_(callers), handler_(std::move(handler)), share_(share), reactor_(reactor) {}
  void Ready();

  const Cidr callers_;
  const NameHandler handler_;
  FairShare* const share_;
  Reactor* const reactor_;
  UniqueFd socket_;
  std::weak_ptr<DatagramListener> self_;
};

class StreamListener {
 public:
  static absl::StatusOr<std::shared_ptr<StreamListener>> Listen(Ipv4 address, uint16_t port,
                                                                const Cidr& callers,
                                                                NameHandler handler,
                                                                FairShare* share, Reactor* reactor);
  ~StreamListener();

 private:
  struct Connection;
  StreamListener(const Cidr& callers, NameHandler handler, FairShare* share, Reactor* reactor);
  absl::Status WatchSocket();
  void Accept();
  void Ready(uint64_t number, uint32_t events);
  // False: it is closed.
  bool Read(Connection* connection);
  bool Write(Connection* connection);
  // A few at a time.
  void TakeMessages(uint64_t number);
  void TakeMore(uint64_t number, absl::Duration later);
  void Reply(uint64_t number, const std::string& answer);
  void WatchAgain(Connection* connection);
  void SetTimer(Connection* connection);
  void Close(uint64_t number);

  const Cidr callers_;
  const NameHandler handler_;
  FairShare* const share_;
  Reactor* const reactor_;
  UniqueFd socket_;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::map<Ipv4, int> by_caller_;
  uint64_t next_ = 1;
  std::weak_ptr<StreamListener> self_;
};

}  // namespace cluster::node
