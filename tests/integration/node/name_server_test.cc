// The name server on real sockets, with another server that it asks: all on 127/8.
#include "node/dns/name_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster::node {
namespace {

// Less than the ten seconds after which the server closes what is idle.
constexpr int kPatienceMs = 8'000;

sockaddr_in SocketAddress(const std::string& address, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(ParseIpv4(address).value().value);
  to.sin_port = htons(port);
  return to;
}

UniqueFd Connected(int type, const std::string& address, uint16_t port) {
  UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const sockaddr_in to = SocketAddress(address, port);
  EXPECT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return socket;
}

// "": it was closed.
std::string Receive(int fd, size_t size) {
  std::string bytes(size, '\0');
  pollfd ready{fd, POLLIN, 0};
  if (poll(&ready, 1, kPatienceMs) != 1) {
    ADD_FAILURE() << "nothing comes";
    return "";
  }
  const ssize_t got = recv(fd, bytes.data(), size, 0);
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

std::string ReceiveWhole(int fd) {
  std::string length = Receive(fd, 2);
  if (length.size() != 2) return "";
  std::string message;
  while (message.size() < IdOf(length)) {
    const std::string part = Receive(fd, IdOf(length) - message.size());
    if (part.empty()) return "";
    message += part;
  }
  return message;
}

std::string WithLength(const std::string& message) {
  std::string length(2, '\0');
  SetId(static_cast<uint16_t>(message.size()), &length);
  return length + message;
}

// Another server, on the port that the kernel chose for UDP and the same for TCP.
class OtherServer {
 public:
  // Empty: it does not answer.
  using Answer = std::function<std::string(const std::string& query, bool by_stream)>;
  OtherServer(const std::string& address, uint16_t port, Answer answer)
      : answer_(std::move(answer)) {
    sockaddr_in own = SocketAddress(address, port);
    const auto* name = reinterpret_cast<const sockaddr*>(&own);
    EXPECT_EQ(bind(datagrams_.get(), name, sizeof own), 0);
    socklen_t size = sizeof own;
    getsockname(datagrams_.get(), reinterpret_cast<sockaddr*>(&own), &size);
    port_ = ntohs(own.sin_port);
    EXPECT_EQ(bind(streams_.get(), name, sizeof own), 0);
    EXPECT_EQ(listen(streams_.get(), 8), 0);
    thread_ = std::thread([this] { Run(); });
  }
  ~OtherServer() {
    stop_ = true;
    // Wakes it.
    const sockaddr_in to = Own();
    sendto(datagrams_.get(), "", 0, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    thread_.join();
  }
  uint16_t port() const { return port_; }
  int asked() const { return asked_; }

 private:
  sockaddr_in Own() const {
    sockaddr_in own{};
    socklen_t size = sizeof own;
    getsockname(datagrams_.get(), reinterpret_cast<sockaddr*>(&own), &size);
    return own;
  }
  void Run() {
    while (!stop_) {
      pollfd ready[] = {{datagrams_.get(), POLLIN, 0}, {streams_.get(), POLLIN, 0}};
      poll(ready, 2, -1);
      if (ready[0].revents != 0) Datagram();
      if (ready[1].revents != 0) Stream();
    }
  }
  void Datagram() {
    std::string query(4096, '\0');
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(datagrams_.get(), query.data(), query.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0) return;
    query.resize(static_cast<size_t>(got));
    ++asked_;
    const std::string answer = answer_(query, false);
    if (answer.empty()) return;
    sendto(datagrams_.get(), answer.data(), answer.size(), 0,
           reinterpret_cast<const sockaddr*>(&from), size);
  }
  void Stream() {
    UniqueFd connection(accept(streams_.get(), nullptr, nullptr));
    const std::string query = ReceiveWhole(connection.get());
    if (query.empty()) return;
    ++asked_;
    const std::string answer = answer_(query, true);
    if (!answer.empty()) (void)WriteAll(connection.get(), WithLength(answer));
  }

  const Answer answer_;
  UniqueFd datagrams_{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  UniqueFd streams_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t port_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<int> asked_ = 0;
  std::thread thread_;
};

std::string AnswerWith(const std::string& query, ResponseCode code, int records) {
  NameAnswer answer;
  answer.code = code;
  for (int i = 0; i < records; ++i) {
    NameRecord record;
    record.address = Ipv4{ParseIpv4("192.0.2.1").value().value + static_cast<uint32_t>(i)};
    answer.records.push_back(record);
  }
  return ComposeAnswer(ParseQuery(query)->query, "org", answer, 1232);
}

class NameServerTest : public testing::Test {
 protected:
  static constexpr char kAddress[] = "127.0.53.1";
  static constexpr int kMostTries = 2000;

  void Start(std::vector<std::string> upstreams = {}, uint16_t upstream_port = 53) {
    NameServer::Options options;
    options.services = &services_;
    options.port = port_;
    options.upstream_port = upstream_port;
    options.upstreams = [upstreams = std::move(upstreams)] { return upstreams; };
    server_ = NameServer::Start(std::move(options)).value();
    server_->Serve(ParseIpv4(kAddress).value(), ParseCidr("127.0.0.0/8").value());
  }
  void Tell(const std::vector<v1::ServiceRoute>& services) {
    v1::Routes routes;
    routes.set_complete(true);
    routes.set_service_cidr("10.60.0.0/16");
    for (const v1::ServiceRoute& service : services) *routes.add_services() = service;
    services_.Apply(routes);
  }
  static v1::ServiceRoute Service(const std::string& name, const std::string& address) {
    v1::ServiceRoute route;
    route.set_namespace_("default");
    route.set_name(name);
    route.set_cluster_ip(address);
    return route;
  }
  // The server may not listen yet, or not for good; whoever hears nothing asks again.
  std::string Ask(const std::string& query) {
    for (int i = 0; i < kMostTries; ++i) {
      UniqueFd socket = Connected(SOCK_DGRAM, kAddress, port_);
      EXPECT_GT(send(socket.get(), query.data(), query.size(), 0), 0);
      pollfd ready{socket.get(), POLLIN, 0};
      if (poll(&ready, 1, 3000) != 1) continue;
      std::string answer(65535, '\0');
      const ssize_t got = recv(socket.get(), answer.data(), answer.size(), 0);
      if (got < 0 && errno == ECONNREFUSED) {
        poll(nullptr, 0, 10);
        continue;
      }
      answer.resize(got > 0 ? static_cast<size_t>(got) : 0);
      return answer;
    }
    return "";
  }
  std::string Ask(const std::string& name, RecordType type) {
    const std::string query = ComposeQuery(name, type);
    const std::string answer = Ask(query);
    EXPECT_TRUE(Answers(answer, query));
    return answer;
  }
  static int CodeOf(const std::string& answer) { return answer.size() < 4 ? -1 : answer[3] & 15; }
  static int RecordsOf(const std::string& answer) { return IdOf(answer.substr(6)); }

  ServiceBook services_;
  // Tests run beside each other, each as a process of its own.
  const uint16_t port_ = static_cast<uint16_t>(20000 + getpid() % 10000);
  std::unique_ptr<NameServer> server_;
};

TEST_F(NameServerTest, AnswersByTheTableAsItIsNow) {
  Tell({});
  Start();
  EXPECT_EQ(CodeOf(Ask("web.default.svc.cluster.local", RecordType::kA)), 3);
  Tell({Service("web", "10.60.0.7")});
  const std::string answer = Ask("web.default.svc.cluster.local", RecordType::kA);
  EXPECT_EQ(CodeOf(answer), 0);
  EXPECT_EQ(RecordsOf(answer), 1);
  EXPECT_NE(answer.find(std::string("\x0a\x3c\x00\x07", 4)), std::string::npos);
}

// As after a start of the agent alone: what the disk did not know is asked for again by nobody who
// was told that it does not exist.
TEST_F(NameServerTest, WaitsForTheControllersWord) {
  Start();
  const std::string query = ComposeQuery("db.default.svc.cluster.local", RecordType::kA);
  Ask("example.org", RecordType::kA);  // it listens
  UniqueFd socket = Connected(SOCK_DGRAM, kAddress, port_);
  ASSERT_GT(send(socket.get(), query.data(), query.size(), 0), 0);
  // Taken up before this is answered.
  Ask("example.org", RecordType::kA);
  v1::ServiceRoute db = Service("db", "");
  db.add_members()->set_address("10.64.0.1");
  Tell({db});
  const std::string answer = Receive(socket.get(), 512);
  EXPECT_EQ(CodeOf(answer), 0);
  EXPECT_EQ(RecordsOf(answer), 1);
}

TEST_F(NameServerTest, FailsWhereTheControllerSaysNothing) {
  Start();
  EXPECT_EQ(CodeOf(Ask("db.default.svc.cluster.local", RecordType::kA)), 2);
}

TEST_F(NameServerTest, GivesEachPodTheFirstPlaceNowAndThen) {
  v1::ServiceRoute db = Service("db", "");
  for (int i = 0; i < 3; ++i) db.add_members()->set_address(absl::StrCat("10.64.0.", i));
  Tell({db});
  Start();
  std::set<std::string> orders;
  for (int i = 0; i < 200; ++i) {
    orders.insert(Ask("db.default.svc.cluster.local", RecordType::kA).substr(kHeaderBytes));
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST_F(NameServerTest, WhatDoesNotFitComesByTcp) {
  v1::ServiceRoute db = Service("db", "");
  for (int i = 0; i < 1000; ++i) {
    db.add_members()->set_address(absl::StrCat("10.64.", i / 250, ".", i % 250));
  }
  Tell({db});
  Start();
  const std::string name = "db.default.svc.cluster.local";
  EXPECT_TRUE(IsTruncated(Ask(name, RecordType::kA)));
  UniqueFd socket = Connected(SOCK_STREAM, kAddress, port_);
  std::string query = ComposeQuery(name, RecordType::kA);
  // Two at a time, the second in two pieces.
  const std::string both = WithLength(query) + WithLength(ComposeQuery(name, RecordType::kAaaa));
  ASSERT_TRUE(WriteAll(socket.get(), both.substr(0, query.size() + 5)).ok());
  const std::string whole = ReceiveWhole(socket.get());
  EXPECT_EQ(RecordsOf(whole), 1000);
  ASSERT_TRUE(WriteAll(socket.get(), both.substr(query.size() + 5)).ok());
  EXPECT_EQ(RecordsOf(ReceiveWhole(socket.get())), 0);
  ASSERT_EQ(shutdown(socket.get(), SHUT_WR), 0);
  EXPECT_EQ(Receive(socket.get(), 1), "") << "closed once all is said";
}

TEST_F(NameServerTest, NobodyElseIsHeard) {
  Tell({Service("web", "10.60.0.7")});
  NameServer::Options options;
  options.services = &services_;
  options.port = port_;
  options.upstreams = [] { return std::vector<std::string>(); };
  server_ = NameServer::Start(std::move(options)).value();
  server_->Serve(ParseIpv4(kAddress).value(), ParseCidr("127.0.99.0/24").value());
  UniqueFd stranger, pod;
  // Until it listens: both are asked for in one go.
  for (bool listens = false; !listens;) {
    stranger.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = SocketAddress(kAddress, port_);
    listens = connect(stranger.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  EXPECT_EQ(Receive(stranger.get(), 1), "") << "closed at once";
  UniqueFd datagram = Connected(SOCK_DGRAM, kAddress, port_);
  const std::string query = ComposeQuery("web.default.svc.cluster.local", RecordType::kA);
  ASSERT_GT(send(datagram.get(), query.data(), query.size(), 0), 0);
  // After which it has seen that one.
  pod.reset(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in own = SocketAddress("127.0.99.7", 0);
  ASSERT_EQ(bind(pod.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  const sockaddr_in to = SocketAddress(kAddress, port_);
  ASSERT_EQ(connect(pod.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  ASSERT_GT(send(pod.get(), query.data(), query.size(), 0), 0);
  EXPECT_EQ(CodeOf(Receive(pod.get(), 512)), 0);
  char byte = 0;
  EXPECT_EQ(recv(datagram.get(), &byte, 1, MSG_DONTWAIT), -1);
}

TEST_F(NameServerTest, OtherNamesAreAskedForElsewhere) {
  OtherServer other("127.0.53.2", 0, [](const std::string& query, bool) {
    return AnswerWith(query, ResponseCode::kNoError, 2);
  });
  Tell({});
  Start({"127.0.53.2"}, other.port());
  const std::string answer = Ask("example.org", RecordType::kA);
  EXPECT_EQ(CodeOf(answer), 0);
  EXPECT_EQ(RecordsOf(answer), 2);
}

TEST_F(NameServerTest, WhoeverIsThereIsAskedNext) {
  OtherServer refuses("127.0.53.2", 0, [](const std::string& query, bool) {
    return AnswerWith(query, ResponseCode::kRefused, 0);
  });
  OtherServer answers("127.0.53.4", refuses.port(), [](const std::string& query, bool) {
    return AnswerWith(query, ResponseCode::kNoError, 1);
  });
  Tell({});
  // Nobody listens at the second.
  Start({"127.0.53.2", "127.0.53.3", "127.0.53.4"}, refuses.port());
  EXPECT_EQ(RecordsOf(Ask("example.org", RecordType::kA)), 1);
  EXPECT_EQ(refuses.asked(), 1);
  server_.reset();
  Start({"127.0.53.3", "127.0.53.2"}, refuses.port());
  EXPECT_EQ(CodeOf(Ask("example.org", RecordType::kA)), 5);
}

TEST_F(NameServerTest, WithoutAnotherServerItFails) {
  Tell({});
  Start({"no address", "127.0.53.9"});
  EXPECT_EQ(CodeOf(Ask("example.org", RecordType::kA)), 2);
}

TEST_F(NameServerTest, DoesNotAskItself) {
  OtherServer itself(kAddress, 0, [](const std::string& query, bool) {
    return AnswerWith(query, ResponseCode::kNoError, 1);
  });
  Tell({});
  Start({kAddress}, itself.port());
  EXPECT_EQ(CodeOf(Ask("example.org", RecordType::kA)), 2);
  EXPECT_EQ(itself.asked(), 0);
}

// It costs its two seconds once.
TEST_F(NameServerTest, WhoDoesNotAnswerIsAskedLast) {
  OtherServer silent("127.0.53.2", 0, [](const std::string&, bool) { return ""; });
  OtherServer answers("127.0.53.3", silent.port(), [](const std::string& query, bool) {
    return AnswerWith(query, ResponseCode::kNoError, 1);
  });
  Tell({});
  Start({"127.0.53.2", "127.0.53.3"}, silent.port());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(RecordsOf(Ask("example.org", RecordType::kA)), 1);
  EXPECT_EQ(silent.asked(), 1);
  EXPECT_EQ(answers.asked(), 5);
}

// Whoever guesses has to guess the id and the port, within the time of one question.
TEST_F(NameServerTest, AnswersThatNobodyAskedForAreNotTaken) {
  OtherServer liar("127.0.53.2", 0, [](const std::string& query, bool) {
    std::string other = AnswerWith(query, ResponseCode::kNoError, 1);
    SetId(static_cast<uint16_t>(IdOf(query) + 1), &other);
    return other;
  });
  OtherServer honest("127.0.53.3", liar.port(), [](const std::string& query, bool) {
    return AnswerWith(query, ResponseCode::kNoError, 2);
  });
  Tell({});
  Start({"127.0.53.2", "127.0.53.3"}, liar.port());
  EXPECT_EQ(RecordsOf(Ask("example.org", RecordType::kA)), 2);
}

TEST_F(NameServerTest, AnAliasIsFollowedElsewhereByTcpIfNeedBe) {
  OtherServer other("127.0.53.2", 0, [](const std::string& query, bool by_stream) {
    std::string answer = AnswerWith(query, ResponseCode::kNoError, by_stream ? 3 : 0);
    if (!by_stream) answer[2] = static_cast<char>(answer[2] | 2);
    return answer;
  });
  v1::ServiceRoute out = Service("out", "");
  out.set_external_name("example.org");
  Tell({out});
  Start({"127.0.53.2"}, other.port());
  const std::string answer = Ask("out.default.svc.cluster.local", RecordType::kA);
  EXPECT_EQ(CodeOf(answer), 0);
  EXPECT_EQ(RecordsOf(answer), 4) << "the alias and three addresses";
  EXPECT_EQ(other.asked(), 2);
}

TEST_F(NameServerTest, QueriesByTcpAreAskedByTcp) {
  OtherServer other("127.0.53.2", 0, [](const std::string& query, bool by_stream) {
    return AnswerWith(query, ResponseCode::kNoError, by_stream ? 3 : 1);
  });
  Tell({});
  Start({"127.0.53.2"}, other.port());
  EXPECT_EQ(RecordsOf(Ask("example.org", RecordType::kA)), 1);
  UniqueFd socket = Connected(SOCK_STREAM, kAddress, port_);
  ASSERT_TRUE(WriteAll(socket.get(), WithLength(ComposeQuery("example.org", RecordType::kA))).ok());
  EXPECT_EQ(RecordsOf(ReceiveWhole(socket.get())), 3);
}

TEST_F(NameServerTest, ScrapsAreRefusedAndItGoesOn) {
  Tell({Service("web", "10.60.0.7")});
  Start();
  EXPECT_EQ(CodeOf(Ask(std::string(12, '\0'))), 1);
  UniqueFd socket = Connected(SOCK_STREAM, kAddress, port_);
  ASSERT_TRUE(WriteAll(socket.get(), WithLength("scrap")).ok());
  EXPECT_EQ(Receive(socket.get(), 1), "");
  EXPECT_EQ(CodeOf(Ask("web.default.svc.cluster.local", RecordType::kA)), 0);
}

TEST_F(NameServerTest, ListensAsSoonAsThePortIsFree) {
  UniqueFd taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;  // beside ended connections of other tests
  setsockopt(taken.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in own = SocketAddress(kAddress, port_);
  ASSERT_EQ(bind(taken.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  ASSERT_EQ(listen(taken.get(), 1), 0);
  Tell({Service("web", "10.60.0.7")});
  Start();
  // For half a second nobody answers, by UDP either: the port is no use without the other one.
  const std::string query = ComposeQuery("web.default.svc.cluster.local", RecordType::kA);
  for (int i = 0; i < 50; ++i) {
    UniqueFd socket = Connected(SOCK_DGRAM, kAddress, port_);
    ASSERT_GT(send(socket.get(), query.data(), query.size(), 0), 0);
    pollfd ready{socket.get(), 0, 0};
    poll(&ready, 1, 10);
    char byte = 0;
    ASSERT_EQ(recv(socket.get(), &byte, 1, MSG_DONTWAIT), -1);
  }
  taken.reset();
  EXPECT_EQ(CodeOf(Ask(query)), 0);
}

// A caller that takes all it can get does not keep others waiting.
TEST_F(NameServerTest, OneCallerDoesNotHoldUpTheOthers) {
  v1::ServiceRoute db = Service("db", "");
  for (int i = 0; i < 4000; ++i) {
    db.add_members()->set_address(absl::StrCat("10.64.", i / 250, ".", i % 250));
  }
  Tell({db, Service("web", "10.60.0.7")});
  Start();
  Ask("web.default.svc.cluster.local", RecordType::kA);  // it listens
  // Sixteen connections with more questions than are answered at once, whose answers nobody reads.
  const std::string question =
      WithLength(ComposeQuery("db.default.svc.cluster.local", RecordType::kA));
  std::string many;
  for (int i = 0; i < 200; ++i) many += question;
  std::vector<UniqueFd> greedy;
  for (int i = 0; i < 16; ++i) {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in own = SocketAddress("127.0.99.7", 0);
    ASSERT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
    const sockaddr_in to = SocketAddress(kAddress, port_);
    ASSERT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    ASSERT_GT(send(socket.get(), many.data(), many.size(), MSG_DONTWAIT), 0);
    greedy.push_back(std::move(socket));
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(CodeOf(Ask("web.default.svc.cluster.local", RecordType::kA)), 0);
  }
  // And it ends in the midst of it.
  server_.reset();
}

}  // namespace
}  // namespace cluster::node
