#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <list>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/commands/commands.h"
#include "cli/commands/forward_connection.h"
#include "cli/commands/forward_ports.h"
#include "cli/commands/pod_choice.h"
#include "cli/commands/targets.h"

#include "base/mutex.h"
#include "base/status.h"
#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

constexpr char kLocalhost[] = "127.0.0.1";
// Connections that wait to be accepted.
constexpr int kBacklog = 128;
// At a time; a node serves as many streams, and each has two threads here.
constexpr size_t kMostConnections = 200;
constexpr int kLookAgainMilliseconds = 100;

struct PortForwardFlags {
  std::vector<std::string> words;
  std::string addresses = "localhost";
};

struct Listener {
  UniqueFd socket;
  ForwardedPort port;  // `local` as it came to be
  std::string address;
};

absl::StatusOr<Listener> ListenOn(const std::string& address, ForwardedPort port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port.local);
  if (inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1) {
    return UsageError(absl::StrCat("--address ", address, " is no IPv4 address, nor localhost"));
  }
  const std::string what = absl::StrCat(address, ":", port.local);
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return ErrnoStatus("socket", what);
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto* generic = reinterpret_cast<sockaddr*>(&name);
  socklen_t size = sizeof name;
  if (bind(socket.get(), generic, size) != 0 || listen(socket.get(), kBacklog) != 0) {
    return absl::UnavailableError(absl::StrCat("unable to listen on ", what, ": ",
                                               errno == EADDRINUSE
                                                   ? "the port is in use; choose another, or write "
                                                     ":REMOTE for any that is free"
                                                   : std::string(strerror(errno))));
  }
  if (getsockname(socket.get(), generic, &size) != 0) return ErrnoStatus("getsockname", what);
  port.local = ntohs(name.sin_port);
  return Listener{std::move(socket), port, address};
}

// Accepts and passes on until the pod is lost.
class Forwarder {
 public:
  Forwarder(Session& session, Client& client, const v1::Pod& pod, std::vector<Listener> listeners)
      : session_(session),
        client_(client),
        pod_(pod),
        listeners_(std::move(listeners)),
        stop_(eventfd(0, EFD_CLOEXEC)) {}

  // Only ever returns an error.
  absl::Status Run() {
    if (!stop_.valid()) return ErrnoStatus("eventfd");
    const absl::Status end = AcceptAll();
    Stop();
    for (Connection& connection : connections_) connection.thread.join();
    const MutexLock lock(&mutex_);
    return lost_.ok() ? end : lost_;
  }

 private:
  struct Connection {
    std::thread thread;
    std::atomic<bool> done{false};
  };

  void Stop() {
    const uint64_t one = 1;
    const ssize_t written = write(stop_.get(), &one, sizeof one);
    static_cast<void>(written);  // An eventfd takes it, or holds one already.
  }

  absl::Status AcceptAll() {
    std::vector<pollfd> fds = {{stop_.get(), POLLIN, 0}};
    for (const Listener& listener : listeners_) fds.push_back({listener.socket.get(), POLLIN, 0});
    for (;;) {
      const bool full = connections_.size() >= kMostConnections;
      // Further ones wait in the backlog.
      const size_t watched = full ? 1 : fds.size();
      const int ready = poll(fds.data(), watched, full ? kLookAgainMilliseconds : -1);
      if (ready < 0 && errno != EINTR) return ErrnoStatus("poll");
      if (fds[0].revents != 0) return absl::OkStatus();
      RemoveEnded();
      for (size_t i = 1; i < watched && ready > 0; ++i) {
        if (fds[i].revents != 0) Accept(listeners_[i - 1]);
      }
    }
  }

  void RemoveEnded() {
    connections_.remove_if([](Connection& connection) {
      if (!connection.done) return false;
      connection.thread.join();
      return true;
    });
  }

  void Accept(const Listener& listener) {
    UniqueFd local(accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
    // It was there and is gone again.
    if (!local.valid()) return;
    Say(session_.out(), absl::StrCat("Handling connection for ", listener.port.local));
    v1::PortForwardStart start;
    start.set_namespace_(pod_.metadata().namespace_());
    start.set_pod(pod_.metadata().name());
    start.set_port(listener.port.remote);
    Connection& connection = connections_.emplace_back();
    connection.thread = std::thread([this, &connection, start, local = std::move(local)]() mutable {
      Serve(start, std::move(local));
      connection.done = true;
    });
  }

  void Serve(const v1::PortForwardStart& start, UniqueFd local) {
    const absl::Status status = ForwardConnection(client_, start, std::move(local), stop_.get());
    if (status.ok()) return;
    Say(session_.err(), absl::StrCat("error: forwarding to port ", start.port(), " of pod/",
                                     start.pod(), ": ", absl::string_view(status.message())));
    // Gone, or over: no further connection will ever do.
    if (!absl::IsNotFound(status) && !absl::IsFailedPrecondition(status)) return;
    {
      const MutexLock lock(&mutex_);
      if (lost_.ok()) {
        lost_ = absl::UnavailableError(absl::StrCat("lost connection to pod/", start.pod()));
      }
    }
    Stop();
  }

  void Say(std::ostream& where, const std::string& line) {
    const MutexLock lock(&mutex_);
    where << line << "\n" << std::flush;
  }

  Session& session_;
  Client& client_;
  const v1::Pod& pod_;
  const std::vector<Listener> listeners_;
  const UniqueFd stop_;
  std::list<Connection> connections_;
  Mutex mutex_;
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);
};

// Those of a service are its own; its pods may have others.
absl::StatusOr<std::vector<std::string>> PortWords(Session& session,
                                                   const std::vector<std::string>& words) {
  std::vector<std::string> ports(words.begin() + 1, words.end());
  ASSIGN_OR_RETURN(const Target target, ParseOneTarget({words[0]}, "Pod"));
  if (target.kind->object_case != v1::Object::kService) return ports;
  ASSIGN_OR_RETURN(const v1::Object service, FetchOne(session, target));
  return ToPodPorts(ports, service.service());
}

absl::Status PortForward(Session& session, const PortForwardFlags& flags) {
  if (flags.words.empty()) {
    return UsageError("name a pod and a port: clusterctl port-forward web-1 8080:80");
  }
  ASSIGN_OR_RETURN(const v1::Pod pod, ChoosePod(session, flags.words[0]));
  ASSIGN_OR_RETURN(const std::vector<std::string> words, PortWords(session, flags.words));
  ASSIGN_OR_RETURN(const std::vector<ForwardedPort> ports, ParseForwardedPorts(words, pod));
  if (pod.status().phase() != v1::POD_PHASE_RUNNING) {
    return absl::FailedPreconditionError(
        absl::StrCat("unable to forward port because pod/", pod.metadata().name(),
                     " is not running: it is ", EnumText(pod.status().phase())));
  }
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  std::vector<Listener> listeners;
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(flags.addresses, ','))) {
    const std::string address = word == "localhost" ? kLocalhost : word;
    for (const ForwardedPort& port : ports) {
      ASSIGN_OR_RETURN(listeners.emplace_back(), ListenOn(address, port));
    }
  }
  for (const Listener& listener : listeners) {
    session.out() << "Forwarding from " << listener.address << ":" << listener.port.local << " -> "
                  << listener.port.remote << "\n";
  }
  session.out().flush();
  return Forwarder(session, *client, pod, std::move(listeners)).Run();
}

}  // namespace

void AddPortForward(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(
      app, "port-forward",
      "Listens here and passes each connection on to a port of a pod, until it is interrupted. The "
      "pod sees connections from its own 127.0.0.1",
      "clusterctl port-forward web-1 8080:80\n"
      "clusterctl port-forward deploy/web 8080:http 9090\n"
      "clusterctl port-forward svc/web 8080:80\n"
      "clusterctl port-forward web-1 :80 --address 0.0.0.0");
  auto flags = std::make_shared<PortForwardFlags>();
  command->add_option("pod", flags->words,
                      "POD, pod/NAME, deploy/NAME or svc/NAME, then [LOCAL:]REMOTE...");
  command
      ->add_option("--address", flags->addresses,
                   "Where to listen: localhost, or IPv4 addresses, with commas between them")
      ->capture_default_str();
  session.OnCommand(command, [&session, flags] { return PortForward(session, *flags); });
}

}  // namespace cluster::cli
