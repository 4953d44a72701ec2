#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "base/unique_handle.h"
#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;

UniqueFd ConnectTo(uint16_t port) {
  UniqueFd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(connection.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  return connection;
}

void SendAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t put = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    ASSERT_GT(put, 0);
    data.remove_prefix(static_cast<size_t>(put));
  }
}

std::string ReadAll(int fd) {
  std::string all;
  char piece[4096];
  ssize_t got = 0;
  while ((got = read(fd, piece, sizeof piece)) > 0) all.append(piece, static_cast<size_t>(got));
  return all;
}

class PortForwardTest : public CommandTest {
 protected:
  PortForwardTest() { PutWithStatus(PodManifest("web-1"), kReady); }

  // The local port behind "Forwarding from 127.0.0.1:N -> REMOTE".
  static uint16_t LocalPort(SharedOutput& out, int remote) {
    const std::string arrow = absl::StrCat(" -> ", remote, "\n");
    out.Await(arrow);
    const std::string text = out.text();
    const size_t end = text.find(arrow);
    const size_t begin = text.rfind(':', end) + 1;
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(text.substr(begin, end - begin), &port)) << text;
    return static_cast<uint16_t>(port);
  }
};

TEST_F(PortForwardTest, BytesGoBothWaysAndEndsArePassedOn) {
  const auto run = Start({"port-forward", "pod/web-1", ":7", "0:404"});
  const uint16_t port = LocalPort(run->out(), 7);
  EXPECT_THAT(run->out().text(), HasSubstr(absl::StrCat("Forwarding from 127.0.0.1:", port)));
  const std::string much(3'000'000, 'x');
  const UniqueFd first = ConnectTo(port);
  const UniqueFd second = ConnectTo(port);
  SendAll(first.get(), much);
  SendAll(second.get(), "hello");
  shutdown(second.get(), SHUT_WR);
  EXPECT_EQ(ReadAll(second.get()), "default/web-1:hello") << "the first one is not in its way";
  shutdown(first.get(), SHUT_WR);
  EXPECT_EQ(ReadAll(first.get()), "default/web-1:" + much);
  run->out().Await(
      absl::StrCat("Handling connection for ", port, "\nHandling connection for ", port));
  const UniqueFd last = ConnectTo(LocalPort(run->out(), 404));
  EXPECT_EQ(ReadAll(last.get()), "");
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("lost connection to pod/web-1"));
}

TEST_F(PortForwardTest, AServicesPortLeadsToThatOfItsPod) {
  Put("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n"
      "  ports: [{name: a, port: 80, targetPort: 7}, {name: end, port: 81, targetPort: 404}]\n");
  const auto run = Start({"port-forward", "svc/web", "0:80", ":end"});
  const UniqueFd first = ConnectTo(LocalPort(run->out(), 7));
  SendAll(first.get(), "hello");
  shutdown(first.get(), SHUT_WR);
  EXPECT_EQ(ReadAll(first.get()), "default/web-1:hello");
  EXPECT_EQ(ReadAll(ConnectTo(LocalPort(run->out(), 404)).get()), "");
  run->Wait();
}

TEST_F(PortForwardTest, APortThatNobodyListensOnCostsOneConnection) {
  const auto run = Start({"port-forward", "web-1", ":8", ":404"});
  const UniqueFd refused = ConnectTo(LocalPort(run->out(), 8));
  EXPECT_EQ(ReadAll(refused.get()), "");
  const UniqueFd again = ConnectTo(LocalPort(run->out(), 8));
  EXPECT_EQ(ReadAll(again.get()), "");
  const UniqueFd last = ConnectTo(LocalPort(run->out(), 404));
  EXPECT_EQ(ReadAll(last.get()), "");
  const Outcome outcome = run->Wait();
  EXPECT_THAT(outcome.err,
              HasSubstr("error: forwarding to port 8 of pod/web-1: connection refused: "
                        "nobody listens on port 8\n"));
}

TEST_F(PortForwardTest, Refusals) {
  EXPECT_EQ(Run({"port-forward"}).code, 2);
  EXPECT_EQ(Run({"port-forward", "web-1"}).code, 2);
  EXPECT_EQ(Run({"port-forward", "web-1", "80:x:y"}).code, 2);
  EXPECT_EQ(Run({"port-forward", "web-1", ":80", "--address", "example"}).code, 2);
  EXPECT_EQ(Run({"port-forward", "nobody", ":80"}).code, 1);
  PutWithStatus(PodManifest("web-2"), "phase: POD_PHASE_PENDING");
  const Outcome pending = Run({"port-forward", "web-2", ":80"});
  EXPECT_EQ(pending.code, 1);
  EXPECT_THAT(pending.err, HasSubstr("pod/web-2 is not running: it is Pending"));
}

TEST_F(PortForwardTest, APortThatIsTakenIsSaid) {
  const auto run = Start({"port-forward", "web-1", ":404"});
  const uint16_t port = LocalPort(run->out(), 404);
  const Outcome outcome = Run({"port-forward", "web-1", absl::StrCat(port, ":80")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(absl::StrCat("unable to listen on 127.0.0.1:", port,
                                                  ": the port is in use")));
  EXPECT_EQ(ReadAll(ConnectTo(port).get()), "");
  run->Wait();
}

}  // namespace
}  // namespace cluster::cli
