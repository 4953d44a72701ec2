// A little name server on 127.0.0.1 for checks to ask. RFC 1035
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

#include "base/mutex.h"
#include "base/unique_handle.h"

namespace cluster::node {

// A name server for 127.0.0.1: `answer` says what it says to a question for an address, the first
// time, the second and so on. No name has an IPv6 address.
class NameServer {
 public:
  enum class Word { kNothing, kAddress, kNoSuchName };
  using Answer = std::function<Word(const std::string& name, int time)>;
  explicit NameServer(Answer answer)
      : answer_(std::move(answer)),
        fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
        stop_(eventfd(0, EFD_CLOEXEC)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address_), size), 0);
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address_), &size), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~NameServer() {
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(ntohs(address_.sin_port)); }

  // Until so many names, or this one, have been asked for.
  bool AwaitNames(size_t count) {
    return AwaitThat([count](const auto& asked) { return asked.size() >= count; });
  }
  bool AwaitName(const std::string& name) {
    return AwaitThat([&name](const auto& asked) { return asked.contains(name); });
  }
  // False when nobody has sent a question for it so far.
  bool WasAsked(const std::string& name) {
    // What came before this has been read before this.
    const std::string mark = "\4mark" + std::string(5, '\0');
    const std::string question = std::string(12, '\0') + mark;
    EXPECT_GT(sendto(fd_.get(), question.data(), question.size(), 0,
                     reinterpret_cast<const sockaddr*>(&address_), sizeof address_),
              0);
    EXPECT_TRUE(AwaitName("mark"));
    MutexLock lock(&mutex_);
    return asked_.contains(name);
  }

 private:
  template <typename Condition>
  bool AwaitThat(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    MutexLock lock(&mutex_);
    while (!condition(asked_) && absl::Now() < deadline) {
      changed_.WaitFor(&mutex_, absl::Seconds(1));
    }
    return condition(asked_);
  }

  void Serve() {
    for (;;) {
      pollfd ready[2] = {{fd_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      poll(ready, 2, -1);
      if (ready[1].revents != 0) return;
      char packet[512];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t got =
          recvfrom(fd_.get(), packet, sizeof packet, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 17) continue;
      const std::string said = Reply(std::string(packet, static_cast<size_t>(got)));
      if (said.empty()) continue;
      EXPECT_GT(sendto(fd_.get(), said.data(), said.size(), 0,
                       reinterpret_cast<const sockaddr*>(&from), size),
                0);
    }
  }

  // RFC 1035, 4.1
  std::string Reply(std::string packet) {
    std::string name;
    size_t at = 12;
    while (packet[at] != 0) {
      const auto length = static_cast<size_t>(packet[at]);
      name += (name.empty() ? "" : ".") + packet.substr(at + 1, length);
      at += length + 1;
    }
    const bool is_v4 = packet[at + 2] == 1;
    int time = 0;
    {
      MutexLock lock(&mutex_);
      time = is_v4 ? ++asked_[name] : asked_[name];
      changed_.SignalAll();
    }
    const Word word = answer_(name, time);
    if (word == Word::kNothing) return "";
    packet[2] = '\x81';
    packet[3] = word == Word::kAddress ? '\x80' : '\x83';
    if (word == Word::kAddress && is_v4) {
      packet[7] = 1;
      // Its name, as above; A, IN; no time to live; four bytes.
      packet += std::string("\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1", 16);
    }
    return packet;
  }

  const Answer answer_;
  UniqueFd fd_;
  UniqueFd stop_;
  sockaddr_in address_{};
  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, int> asked_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace cluster::node
