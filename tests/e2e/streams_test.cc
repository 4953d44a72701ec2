// What goes in and out of containers by clusterctl.
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class StreamsE2e : public testing::Test {
 protected:
  void SetUp() override {
    LoadBusybox();
    char path[] = "/tmp/cluster-streams-XXXXXX";
    folder_ = mkdtemp(path);
    PodText pod{"web"};
    pod.script = "mkdir -p /srv; echo from the pod > /srv/index.html; exec sleep 100000";
    Apply(pod.Yaml());
    ASSERT_TRUE(Eventually([] { return IsReady(PodNamed("web")); }));
  }
  void TearDown() override {
    Delete("pod", "web");
    fs::remove_all(folder_);
  }
  void Write(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(folder_ + "/" + name).parent_path());
    std::ofstream(folder_ + "/" + name) << text;
  }
  std::string Read(const std::string& name) {
    return ReadFile(folder_ + "/" + name).value_or("absent");
  }

  std::string folder_;
};

// One GET over a local port; everything that comes until the end of the connection.
std::string Fetch(uint16_t port, const std::string& path) {
  UniqueFd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) return "";
  const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n");
  if (send(connection.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return "";
  std::string answer;
  char piece[65536];
  ssize_t got = 0;
  while ((got = read(connection.get(), piece, sizeof piece)) > 0) {
    answer.append(piece, static_cast<size_t>(got));
  }
  return answer;
}

// The local port that stands before " -> REMOTE".
uint16_t LocalPort(RunningCtl& forward, int remote) {
  const std::string arrow = absl::StrCat(" -> ", remote, "\n");
  const std::string text = forward.AwaitOut(arrow);
  const size_t end = text.find(arrow);
  const size_t begin = text.rfind(':', end) + 1;
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(text.substr(begin, end - begin), &port)) << text;
  return static_cast<uint16_t>(port);
}

TEST_F(StreamsE2e, PortForwardReachesWhatListensOnThePodsOwnLoopback) {
  CtlOut({"exec", "web", "--", "sh", "-c",
          "head -c 3000000 /dev/zero | tr '\\0' x > /srv/big; httpd -p 127.0.0.1:80 -h /srv"});
  {
    RunningCtl forward({"port-forward", "pod/web", ":80", "0:81"});
    const uint16_t port = LocalPort(forward, 80);
    EXPECT_THAT(Fetch(port, "/index.html"), HasSubstr("from the pod"));
    EXPECT_THAT(Fetch(port, "/big"), HasSubstr(std::string(3'000'000, 'x')));
    EXPECT_EQ(Fetch(LocalPort(forward, 81), "/"), "") << "nobody listens there";
    EXPECT_THAT(Fetch(port, "/index.html"), HasSubstr("from the pod")) << "which is no harm";
  }
}

TEST_F(StreamsE2e, PortForwardEndsWithThePod) {
  Apply(PodText{"brief"}.Yaml());
  ASSERT_TRUE(Eventually([] { return IsReady(PodNamed("brief")); }));
  RunningCtl lost({"port-forward", "brief", ":80"});
  const uint16_t port = LocalPort(lost, 80);
  Delete("pod", "brief");
  EXPECT_EQ(Fetch(port, "/index.html"), "");
  EXPECT_EQ(lost.Wait(), 1);
}

TEST_F(StreamsE2e, FilesGoIntoAContainerAndComeBack) {
  Write("site/index.html", "hello");
  Write("site/deep/down/big", std::string(2 << 20, 'x'));
  fs::permissions(folder_ + "/site/index.html", fs::perms(0755));
  CtlOut({"cp", folder_ + "/site", "web:/tmp/copy"});
  EXPECT_EQ(CtlOut({"exec", "web", "--", "cat", "/tmp/copy/index.html"}), "hello");
  EXPECT_EQ(CtlOut({"exec", "web", "--", "sh", "-c", "test -x /tmp/copy/index.html && echo yes"}),
            "yes");
  // Into what is there it goes under its own name.
  CtlOut({"cp", folder_ + "/site/index.html", "default/web:/tmp"});
  EXPECT_EQ(CtlOut({"exec", "web", "--", "cat", "/tmp/index.html"}), "hello");
  CtlOut({"cp", "web:/tmp/copy", folder_ + "/back"});
  EXPECT_EQ(Read("back/index.html"), "hello");
  EXPECT_EQ(Read("back/deep/down/big"), std::string(2 << 20, 'x'));
  CtlOut({"cp", "web:/srv/index.html", folder_ + "/page"});
  EXPECT_EQ(Read("page"), "from the pod\n");
  const Outcome absent = Ctl({"cp", "web:/srv/absent", folder_ + "/absent"});
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("tar in the container ended with exit code 1"));
  EXPECT_FALSE(fs::exists(folder_ + "/absent"));
}

// The container's own tar, as the container likes it.
TEST_F(StreamsE2e, AHostileContainerReachesNothingOutsideOfTheDestination) {
  Write("victim", "untouched");
  CtlOut({"exec", "web", "--", "sh", "-c",
          absl::StrCat("mkdir -p /evil/site && ln -s ", folder_,
                       " /evil/site/out && cd /evil && "
                       "tar cf /evil/a.tar site && rm site/out && mkdir site/out && "
                       "echo owned > site/out/victim && tar cf /evil/b.tar site/out/victim && "
                       "rm /bin/tar && "
                       "printf '#!/bin/sh\\nhead -c 1024 /evil/a.tar\\ncat /evil/b.tar\\n' "
                       "> /bin/tar && chmod 755 /bin/tar")});
  const Outcome copied = Ctl({"cp", "web:/evil/site", folder_ + "/copy"});
  EXPECT_EQ(Read("victim"), "untouched") << copied.err;
  EXPECT_THAT(copied.err, HasSubstr("warning: skipping symlink: \"site/out\""));
  EXPECT_EQ(Read("copy/out/victim"), "owned\n") << "what is below the destination is fine";
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-streams", 1)
