// A web server of one page, its host's name, for images: static, one thread, a connection for each
// request, and a queue that holds a thousand who wait. Asked to end, it lets nobody in any more, at
// once, answers who is in, and goes: what a web server does that ends gracefully.
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <string>

namespace {

constexpr uint16_t kPort = 8080;
constexpr int kBacklog = 1024;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  _exit(1);
}

int Listen() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(kPort);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) Die("bind");
  if (listen(fd, kBacklog) != 0) Die("listen");
  return fd;
}

// As the first process of its pod it would not hear them otherwise.
int HearSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

std::string Page() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return std::string("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n") + name + "\n";
}

class Server {
 public:
  void Run() {
    Watch(listener_);
    Watch(signals_);
    while (listener_ >= 0 || !requests_.empty()) {
      epoll_event events[64];
      const int count = epoll_wait(epoll_, events, 64, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener_) {
          Accept();
        } else if (fd == signals_) {
          CloseTheDoor();
        } else {
          Read(fd);
        }
      }
    }
  }

 private:
  void Watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) Die("epoll_ctl");
  }
  void Accept() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      requests_[fd] = "";
      Watch(fd);
    }
  }
  void CloseTheDoor() {
    close(listener_);
    close(signals_);
    listener_ = signals_ = -1;
  }
  void Read(int fd) {
    const auto request = requests_.find(fd);
    if (request == requests_.end()) return;
    char part[4096];
    const ssize_t got = recv(fd, part, sizeof part, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) {
      request->second.append(part, static_cast<size_t>(got));
      if (request->second.find("\r\n\r\n") == std::string::npos) return;
      // Smaller than any socket's buffer.
      (void)!send(fd, page_.data(), page_.size(), MSG_NOSIGNAL);
    }
    requests_.erase(request);
    close(fd);
  }

  const std::string page_ = Page();
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_ = Listen();
  int signals_ = HearSignals();
  std::map<int, std::string> requests_;  // by connection
};

}  // namespace

int main() {
  Server().Run();
  return 0;
}
