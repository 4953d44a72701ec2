#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "absl/strings/str_cat.h"
#include "cli/context.h"
#include "gmock/gmock.h"
#include "grpcpp/server_posix.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;
using ErrorsTest = CommandTest;

TEST_F(ErrorsTest, AnAbsentControllerIsASentence) {
  const Outcome outcome = Run({"--server", "unix:/nonexistent/api.sock", "get", "pods"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "error: cannot reach the controller at unix:/nonexistent/api.sock: is it running? try "
            "clusterctl local list\n");
}

// A socket that takes connections, and nobody who speaks on them for as long as a machine that has
// too much to do may take.
TEST_F(ErrorsTest, AControllerThatIsSlowToAnswerIsWaitedFor) {
  Put(PodManifest("web"));
  const std::string path = folder_ / "slow.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener.get(), 16), 0);
  const auto run = Start({"--server", absl::StrCat("unix:", path), "get", "pods"});
  pollfd incoming{listener.get(), POLLIN, 0};
  ASSERT_EQ(poll(&incoming, 1, 20'000), 1);
  ASSERT_EQ(poll(nullptr, 0, 500), 0);
  // From here on each connection is the fake controller's, also one that was given up meanwhile.
  while (true) {
    const int connection = accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0) break;
    grpc::AddInsecureChannelFromFd(grpc_server_.get(), connection);
  }
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("web"));
}

TEST_F(ErrorsTest, NoClusterChosen) {
  ASSERT_TRUE(RemoveContext(contexts_path_, "test").ok());
  const Outcome outcome = Run({"get", "pods"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("no cluster is chosen: start one with clusterctl local up"));
}

TEST_F(ErrorsTest, AnUnknownContextNamesTheKnownOnes) {
  const Outcome outcome = Run({"get", "pods", "--context", "prod"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "error: there is no context \"prod\"; known are: test\n");
}

TEST_F(ErrorsTest, TheContextComesFromTheFlagOrTheEnvironment) {
  ASSERT_TRUE(SetCurrentContext(contexts_path_, "dead", {"unix:/nonexistent"}).ok());
  EXPECT_EQ(Run({"version"}).code, 1);
  EXPECT_EQ(Run({"version", "--context", "test"}).code, 0);
  setenv("CLUSTERCTL_CONTEXT", "test", 1);
  EXPECT_EQ(Run({"version"}).code, 0);
  unsetenv("CLUSTERCTL_CONTEXT");
}

TEST_F(ErrorsTest, WrongUsageIsTwoAndOneLine) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"frobnicate"},
                                             {"get", "--nope"},
                                             {"rollout"},
                                             {"scale", "deploy/web"},
                                             {"version", "--request-timeout", "x"}}) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments[0];
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST_F(ErrorsTest, HelpIsEverywhereWithExamples) {
  EXPECT_THAT(Run({}).out, HasSubstr("clusterctl local up"));
  for (const std::string command :
       {"apply", "get",   "describe", "delete",  "logs",          "exec",   "attach", "run",
        "diff",  "scale", "rollout",  "cordon",  "drain",         "image",  "label",  "annotate",
        "taint", "wait",  "events",   "version", "api-resources", "explain"}) {
    const Outcome outcome = Run({command, "--help"});
    EXPECT_EQ(outcome.code, 0) << command;
    EXPECT_THAT(outcome.out, HasSubstr("Examples:\n  ")) << command;
  }
}

TEST_F(ErrorsTest, VersionAsksTheController) {
  EXPECT_THAT(Run({"version"}).out, HasSubstr("Server Version: 9.8.7\n"));
  EXPECT_EQ(Run({"version", "--client", "--server", "unix:/nonexistent"}).code, 0);
}

}  // namespace
}  // namespace cluster::cli
