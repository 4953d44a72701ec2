#include "tests/e2e/requests.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/unique_handle.h"

namespace cluster::e2e {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr char kRequest[] = "GET / HTTP/1.0\r\n\r\n";

// One connection.
struct Call {
  UniqueFd socket;
  absl::Time asked;
  bool sent = false;
  std::string answer;
};

// Empty: it was begun.
std::string Begin(const std::string& address, uint16_t port, Call* call) {
  call->asked = absl::Now();
  call->socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!call->socket) return absl::StrCat("socket: ", ::strerror(errno));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  if (::connect(call->socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS) {
    return absl::StrCat("connect: ", ::strerror(errno));
  }
  return "";
}

enum class Progress { kGoesOn, kAnswered, kLost };

Progress Advance(Call* call, std::string* why) {
  if (!call->sent) {
    const ssize_t sent =
        ::send(call->socket.get(), kRequest, sizeof kRequest - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return Progress::kGoesOn;
    if (sent < 0) {
      *why = absl::StrCat("send: ", ::strerror(errno));
      return Progress::kLost;
    }
    call->sent = true;
  }
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::recv(call->socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0) {
      call->answer.append(buffer, static_cast<size_t>(got));
      continue;
    }
    if (got < 0 && errno == EAGAIN) return Progress::kGoesOn;
    if (got == 0 && call->answer.find("\r\n\r\n") != std::string::npos) return Progress::kAnswered;
    *why = got < 0 ? absl::StrCat("receive: ", ::strerror(errno)) : "closed without an answer";
    return Progress::kLost;
  }
}

std::string BodyOf(const std::string& answer) {
  std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
  while (!body.empty() && body.back() == '\n') body.pop_back();
  return body;
}

}  // namespace

Requests::Requests(int64_t pid_inside, std::string address, uint16_t port, int per_second)
    : address_(std::move(address)),
      port_(port),
      period_(absl::Seconds(1) / per_second),
      thread_([this, pid_inside] { Run(pid_inside); }) {}

void Requests::Run(int64_t pid_inside) {
  const UniqueFd inside(
      ::open(absl::StrCat("/proc/", pid_inside, "/ns/net").c_str(), O_RDONLY | O_CLOEXEC));
  if (!inside || ::setns(inside.get(), CLONE_NEWNET) != 0) {
    ADD_FAILURE() << "network namespace of process " << pid_inside << ": " << ::strerror(errno);
    MutexLock lock(&mutex_);
    failed_ = true;
    changed_.SignalAll();
    return;
  }
  std::vector<Call> calls;
  const auto end = [this](const Call& call, const std::string& why) {
    MutexLock lock(&mutex_);
    if (why.empty()) {
      ++tally_.answered;
      ++tally_.said[BodyOf(call.answer)];
    } else if (tally_.lost++ == 0) {
      tally_.first_loss = absl::StrCat(why, ", asked at ", absl::FormatTime(call.asked),
                                       ", lost at ", absl::FormatTime(absl::Now()));
    }
    changed_.SignalAll();
  };
  absl::Time next = absl::Now();
  while (!stop_ || !calls.empty()) {
    while (!stop_ && absl::Now() >= next) {
      next += period_;
      Call call;
      const std::string why = Begin(address_, port_, &call);
      if (!why.empty()) {
        end(call, why);
      } else {
        calls.push_back(std::move(call));
      }
    }
    std::vector<pollfd> polled;
    for (const Call& call : calls) {
      polled.push_back({call.socket.get(), static_cast<short>(call.sent ? POLLIN : POLLOUT), 0});
    }
    const absl::Duration wait = stop_ ? absl::Milliseconds(10) : next - absl::Now();
    const timespec timeout = absl::ToTimespec(std::max(wait, absl::ZeroDuration()));
    ::ppoll(polled.data(), polled.size(), &timeout, nullptr);
    std::vector<Call> open;
    for (size_t i = 0; i < calls.size(); ++i) {
      std::string why;
      Progress progress = Progress::kGoesOn;
      if (polled[i].revents != 0) progress = Advance(&calls[i], &why);
      if (progress == Progress::kGoesOn && absl::Now() - calls[i].asked > kPatience) {
        progress = Progress::kLost;
        why = "no answer";
      }
      if (progress == Progress::kGoesOn) {
        open.push_back(std::move(calls[i]));
      } else {
        end(calls[i], why);
      }
    }
    calls = std::move(open);
  }
}

RequestTally Requests::tally() {
  MutexLock lock(&mutex_);
  return tally_;
}

RequestTally Requests::Await(int64_t more) {
  MutexLock lock(&mutex_);
  const int64_t wanted = tally_.answered + tally_.lost + more;
  while (!failed_ && tally_.answered + tally_.lost < wanted) changed_.Wait(&mutex_);
  return tally_;
}

RequestTally Requests::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return tally();
}

}  // namespace cluster::e2e
