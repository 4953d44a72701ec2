// From a Service's apply to its use, on a three-node local cluster of real programs:
//   build/tests/service_latency [ROUNDS=100]
// Each round makes a Service in front of one ready pod and looks, from a pod on each node, every
// millisecond: until the name has an address, and until a connection to that is answered. Then the
// pod's label is taken away, until connections are refused on each node. Prints p50 and p90 over
// rounds and nodes. What Kubernetes' own test allows from a service to its endpoint: 20 s and 50 s.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/client.h"
#include "gtest/gtest.h"

#include "base/ipv4.h"
#include "node/dns/packet.h"
#include "proto/schema/kinds.h"
#include "tests/bench/bench_tools.h"
#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"

namespace cluster {
namespace {

constexpr int kNodes = 3;
constexpr int64_t kLongest = 60'000'000'000;
constexpr char kServer[] =
    "mkdir -p /www; echo it > /www/index.html; exec httpd -f -p 8080 -h /www";

sockaddr_in SocketAddress(Ipv4 address, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(address.value);
  to.sin_port = htons(port);
  return to;
}

// In a pod's network.
class Looker {
 public:
  explicit Looker(int64_t pid)
      : netns_(open(absl::StrCat("/proc/", pid, "/ns/net").c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!netns_) Die("no network of a pod");
  }
  // Runs there, on a thread of its own.
  std::thread Run(std::function<void()> work) const {
    return std::thread([fd = netns_.get(), work = std::move(work)] {
      if (setns(fd, CLONE_NEWNET) != 0) Die("setns");
      work();
    });
  }

 private:
  UniqueFd netns_;
};

// Until `done`, each millisecond; the time then.
int64_t Await(const std::function<bool()>& done, const char* what) {
  for (const int64_t begin = Now(); !done();) {
    if (Now() - begin > kLongest) Die(absl::StrCat(what, " does not come"));
    poll(nullptr, 0, 1);
  }
  return Now();
}

bool HasAddress(Ipv4 server, const std::string& name) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in to = SocketAddress(server, 53);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return false;
  const std::string query = node::ComposeQuery(name, node::RecordType::kA);
  if (send(socket.get(), query.data(), query.size(), 0) < 0) return false;
  pollfd ready{socket.get(), POLLIN, 0};
  char answer[512];
  if (poll(&ready, 1, 1000) != 1) return false;
  const ssize_t got = recv(socket.get(), answer, sizeof answer, 0);
  return got > 8 && (answer[3] & 15) == 0 && (answer[6] != 0 || answer[7] != 0);
}

bool Answers(Ipv4 address) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{1, 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in to = SocketAddress(address, 80);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return false;
  const char request[] = "GET / HTTP/1.0\r\n\r\n";
  if (send(socket.get(), request, sizeof request - 1, MSG_NOSIGNAL) < 0) return false;
  char byte = 0;
  return recv(socket.get(), &byte, 1, 0) == 1;
}

v1::Object ServiceObject(const std::string& name, const std::string& app) {
  v1::Object object = NewObject(*FindKind("Service"));
  v1::Service* service = object.mutable_service();
  service->mutable_metadata()->set_name(name);
  service->mutable_metadata()->set_namespace_("default");
  (*service->mutable_spec()->mutable_selector())["app"] = app;
  v1::ServicePort* port = service->mutable_spec()->add_ports();
  port->set_port(80);
  port->set_target_port("8080");
  return object;
}

class Bench {
 public:
  Bench() : client_("unix:/run/cluster/local/bench-service/api.sock", absl::Seconds(60)) {
    e2e::LoadBusybox();
    e2e::DeploymentText web{.name = "web", .replicas = 1, .script = kServer};
    web.mounts = "          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}\n";
    e2e::Apply(web.Yaml());
    for (int i = 1; i <= kNodes; ++i) {
      e2e::Apply(e2e::PodText{.name = absl::StrCat("client", i),
                              .extra_spec = absl::StrCat("  nodeName: node", i, "\n")}
                     .Yaml());
    }
    if (!e2e::WaitReady("web", 1)) Die("no pod is ready");
    for (int i = 1; i <= kNodes; ++i) {
      const std::string name = absl::StrCat("client", i);
      if (!e2e::WaitPhase(name, "Running")) Die("a client does not run");
      lookers_.emplace_back(e2e::PidOf(e2e::PodNamed(name)));
      const std::string text = e2e::CtlOut({"exec", name, "--", "cat", "/etc/resolv.conf"});
      const std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \n"));
      servers_.push_back(Must(ParseIpv4(words.at(1)), "the name server of a pod"));
    }
  }

  void Round(int number) {
    const std::string name = absl::StrCat("s-", number);
    const int64_t begin = Now();
    const v1::Object stored = Apply(ServiceObject(name, "web"));
    const Ipv4 address = Must(ParseIpv4(stored.service().spec().cluster_ip()), "clusterIP");
    Add(&applied_, begin, Now());
    const std::string host = name + ".default.svc.cluster.local";
    OnEachNode([&](int node) {
      const int64_t named =
          Await([&] { return HasAddress(servers_[static_cast<size_t>(node)], host); }, "the name");
      const int64_t answered = Await([&] { return Answers(address); }, "an answer");
      Add(&named_, begin, named);
      Add(&answered_, begin, answered);
    });
    const int64_t changed = Now();
    Apply(ServiceObject(name, "nobody"));
    OnEachNode([&](int) {
      Add(&refused_, changed, Await([&] { return !Answers(address); }, "a refusal"));
    });
    v1::DeleteRequest request;
    request.set_kind("Service");
    request.set_namespace_("default");
    request.set_name(name);
    Must(client_.Delete(request), "delete");
  }

  void Print() const {
    for (const Series* series : {&applied_, &named_, &answered_, &refused_}) {
      std::printf("%-58s p50 %7.2f ms   p90 %7.2f ms   (%zu)\n", series->name.c_str(),
                  series->Percentile(0.5), series->Percentile(0.9), series->nanoseconds.size());
    }
  }

 private:
  v1::Object Apply(const v1::Object& object) {
    v1::ApplyRequest request;
    *request.add_objects() = object;
    return Must(client_.Apply(std::move(request)), "apply").results(0).object();
  }
  void OnEachNode(const std::function<void(int node)>& work) {
    std::vector<std::thread> threads;
    for (int node = 0; node < kNodes; ++node) {
      threads.push_back(lookers_[static_cast<size_t>(node)].Run([&work, node] { work(node); }));
    }
    for (std::thread& thread : threads) thread.join();
  }
  void Add(Series* series, int64_t begin, int64_t end) {
    MutexLock lock(&mutex_);
    series->nanoseconds.push_back(end - begin);
  }

  cli::Client client_;
  std::vector<Looker> lookers_;
  std::vector<Ipv4> servers_;
  Mutex mutex_;
  Series applied_{"apply", {}};
  Series named_{"apply -> the name has an address, on a node", {}};
  Series answered_{"apply -> a connection is answered, on a node", {}};
  Series refused_{"another selector -> a connection is refused, on a node", {}};
};

int Main(int rounds) {
  e2e::LocalCluster cluster("bench-service", kNodes);
  cluster.SetUp();
  {
    Bench bench;
    for (int i = 0; i < rounds; ++i) bench.Round(i);
    bench.Print();
  }
  e2e::CtlOut({"delete", "deployments,pods", "--all", "--timeout", "60s"});
  cluster.TearDown();
  return 0;
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return cluster::Main(argc > 1 ? std::atoi(argv[1]) : 100);
}
