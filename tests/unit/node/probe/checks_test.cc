// Checks against real sockets on 127.0.0.1, and commands of a pretended runtime.
#include <atomic>
#include <future>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "base/clock.h"
#include "cluster/v1/api.grpc.pb.h"
#include "node/probe/check.h"
#include "node/probe/check_loop.h"
#include "node/runtime/fake_runtime.h"
#include "tests/unit/node/probe/name_server.h"
#include "tests/unit/node/probe/servers.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

class ChecksTest : public testing::Test {
 protected:
  ChecksTest() : machine_(RealClock(), testing::TempDir()), runtime_(&machine_) {
    loop_ = CheckLoop::Start(RealClock(), [](absl::Duration) {
              return absl::InfiniteDuration();
            }).value();
  }

  ProbeOutcome Run(const Action& action, absl::Duration timeout = absl::Seconds(30),
                   CheckPurpose purpose = CheckPurpose::kProbe) {
    std::promise<ProbeOutcome> promise;
    loop_->Run(MakeCheck(action, purpose, "uid", "web", &runtime_), "uid", timeout,
               [&promise](ProbeOutcome outcome) { promise.set_value(std::move(outcome)); });
    return promise.get_future().get();
  }
  static HttpAction Get(uint16_t port, const std::string& path = "/") {
    return {false, "127.0.0.1", port, path, {}};
  }
  void StartContainer() {
    SandboxSpec sandbox;
    sandbox.uid = "uid";
    ASSERT_TRUE(runtime_.PrepareSandbox(sandbox).ok());
    ContainerSpec container;
    container.pod_uid = "uid";
    container.name = "web";
    container.argv = {"run"};
    ASSERT_TRUE(runtime_.StartContainer(container).ok());
  }

  FakeMachine machine_;
  FakeRuntime runtime_;
  std::unique_ptr<CheckLoop> loop_;
};

TEST_F(ChecksTest, Behaviour27_HttpSucceedsWith200To399) {
  for (const auto& [status, good] : std::map<int, bool>{{199, false},
                                                        {200, true},
                                                        {204, true},
                                                        {302, true},
                                                        {399, true},
                                                        {400, false},
                                                        {500, false}}) {
    if (status < 200) continue;  // an announcement, no answer
    TextServer server([status = status](const std::string&) {
      return absl::StrCat("HTTP/1.1 ", status, " x\r\nContent-Length: 4\r\n\r\noops");
    });
    const ProbeOutcome outcome = Run(Get(server.port()));
    EXPECT_EQ(outcome.verdict, good ? Verdict::kSuccess : Verdict::kFailure) << status;
    if (!good) {
      EXPECT_EQ(outcome.message,
                absl::StrCat("HTTP probe failed with statuscode: ", status, ": oops"));
    }
  }
}

TEST_F(ChecksTest, HttpSendsWhatTheManifestSays) {
  TextServer server([](const std::string&) { return kOk; });
  HttpAction action = Get(server.port(), "/health?full=yes");
  action.headers = {{"Host", "web.example"}, {"X-Probe", "1"}, {"Accept", ""}};
  EXPECT_EQ(Run(action).verdict, Verdict::kSuccess);
  EXPECT_THAT(server.requests(),
              ElementsAre("GET /health?full=yes HTTP/1.1\r\nHost: web.example\r\n"
                          "User-Agent: cluster-probe\r\nConnection: close\r\nX-Probe: 1\r\n\r\n"));
}

TEST_F(ChecksTest, HttpFollowsRedirectsOnTheSameHostOnly) {
  TextServer server([](const std::string& request) -> std::string {
    if (request.find("GET /there ") == 0) return kOk;
    if (request.find("GET /loop ") == 0) {
      return "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n";
    }
    const std::string to = request.find("GET /away ") == 0 ? "http://192.0.2.1/" : "/there";
    return absl::StrCat("HTTP/1.1 301 Moved\r\nLocation: ", to, "\r\nContent-Length: 0\r\n\r\n");
  });
  EXPECT_EQ(Run(Get(server.port())).verdict, Verdict::kSuccess);
  EXPECT_EQ(server.requests().size(), 2u);
  const ProbeOutcome away = Run(Get(server.port(), "/away"));
  EXPECT_EQ(away.verdict, Verdict::kSuccess);
  EXPECT_THAT(away.message, HasSubstr("not followed: http://192.0.2.1/"));
  const ProbeOutcome loop = Run(Get(server.port(), "/loop"));
  EXPECT_EQ(loop.verdict, Verdict::kFailure);
  EXPECT_THAT(loop.message, HasSubstr("stopped after 10 redirects"));
}

TEST_F(ChecksTest, HttpsWorksWithWhateverCertificate) {
  TextServer server([](const std::string&) { return kOk; }, /*tls=*/true);
  HttpAction action = Get(server.port());
  action.tls = true;
  const ProbeOutcome outcome = Run(action);
  EXPECT_EQ(outcome.verdict, Verdict::kSuccess) << outcome.message;
  TextServer plain([](const std::string&) { return kOk; });
  Listener refuses;
  action.port = plain.port();
  // The plain server waits for a blank line that never comes.
  EXPECT_EQ(Run(action, absl::Milliseconds(200)).verdict, Verdict::kFailure);
}

TEST_F(ChecksTest, HttpFailsWhereNobodyListensOrNobodyAnswers) {
  const Listener closed(-1);
  const ProbeOutcome refused = Run(Get(closed.port()));
  EXPECT_EQ(refused.verdict, Verdict::kFailure);
  EXPECT_EQ(refused.message,
            absl::StrCat("Get \"http://127.0.0.1:", closed.port(), "/\": connect: ECONNREFUSED"));
  TextServer silent([](const std::string&) { return ""; });
  const ProbeOutcome late = Run(Get(silent.port()), absl::Milliseconds(200));
  EXPECT_EQ(late.verdict, Verdict::kFailure);
  EXPECT_THAT(late.message, HasSubstr("no answer in time"));
  TextServer other([](const std::string&) { return "220 mail.example ESMTP\r\n"; });
  EXPECT_THAT(Run(Get(other.port())).message, HasSubstr("no HTTP response"));
}

TEST_F(ChecksTest, ALargeAnswerIsFine) {
  TextServer server([](const std::string&) {
    return absl::StrCat("HTTP/1.1 200 OK\r\n\r\n", std::string(1 << 20, 'x'));
  });
  EXPECT_EQ(Run(Get(server.port())).verdict, Verdict::kSuccess);
}

TEST_F(ChecksTest, AHookIsContentWithAnyAnswer) {
  TextServer server(
      [](const std::string&) { return "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"; });
  EXPECT_EQ(Run(Get(server.port()), absl::Seconds(30), CheckPurpose::kHook).verdict,
            Verdict::kSuccess);
}

TEST_F(ChecksTest, Behaviour28_TcpSucceedsWithAConnection) {
  const Listener open;
  EXPECT_EQ(Run(TcpAction{"127.0.0.1", open.port()}).verdict, Verdict::kSuccess);
  const Listener closed(-1);
  const ProbeOutcome refused = Run(TcpAction{"127.0.0.1", closed.port()});
  EXPECT_EQ(refused.verdict, Verdict::kFailure);
  EXPECT_THAT(refused.message, HasSubstr("ECONNREFUSED"));
}

TEST_F(ChecksTest, NamesAreLookedUp) {
  const Listener open;
  EXPECT_EQ(Run(TcpAction{"localhost", open.port()}).verdict, Verdict::kSuccess);
}

// A loop that asks a name server of ours, which says nothing about most names.
class LookupTest : public ChecksTest {
 protected:
  LookupTest()
      : server_([this](const std::string& name, int time) {
          if (name == "unknown") return NameServer::Word::kNoSuchName;
          const bool answers = name == "known" || (name == "second-time" && time > 1) ||
                               (name == "gate" && gate_is_open_);
          return answers ? NameServer::Word::kAddress : NameServer::Word::kNothing;
        }) {
    loop_ =
        CheckLoop::Start(
            RealClock(), [](absl::Duration) { return absl::InfiniteDuration(); }, server_.address())
            .value();
  }
  ~LookupTest() override { loop_.reset(); }
  void LookUp(const std::string& name) {
    loop_->Run(MakeCheck(TcpAction{name + ".", open_.port()}, CheckPurpose::kProbe, "uid", "web",
                         &runtime_),
               name, absl::InfiniteDuration(), [](ProbeOutcome) {});
  }

  const Listener open_;
  std::atomic<bool> gate_is_open_ = false;
  NameServer server_;
};

TEST_F(LookupTest, ANameServerIsAsked) {
  const ProbeOutcome found = Run(TcpAction{"known.", open_.port()});
  EXPECT_EQ(found.verdict, Verdict::kSuccess) << found.message;
  const ProbeOutcome unknown = Run(TcpAction{"unknown.", 80});
  EXPECT_EQ(unknown.verdict, Verdict::kFailure);
  EXPECT_EQ(unknown.message, "unknown.:80: look up unknown.: Domain name not found");
}

TEST_F(LookupTest, AQuestionThatGotLostIsAskedAgain) {
  EXPECT_EQ(Run(TcpAction{"second-time.", open_.port()}).verdict, Verdict::kSuccess);
}

TEST_F(LookupTest, ItEndsWithTheProbesTime) {
  const ProbeOutcome late = Run(TcpAction{"slow.", 80}, absl::Milliseconds(100));
  EXPECT_EQ(late.verdict, Verdict::kFailure);
  EXPECT_EQ(late.message, "no connection to slow.:80 in time");
}

TEST_F(LookupTest, ASlowServerHoldsUpNobodyElse) {
  StartContainer();
  // More than there are threads.
  for (int i = 0; i < 64; ++i) LookUp(absl::StrCat("slow", i));
  ASSERT_TRUE(server_.AwaitNames(64));
  EXPECT_EQ(Run(ExecAction{{"exit", "0"}}).verdict, Verdict::kSuccess);
  EXPECT_EQ(Run(TcpAction{"127.0.0.1", open_.port()}).verdict, Verdict::kSuccess);
  EXPECT_EQ(Run(TcpAction{"known.", open_.port()}).verdict, Verdict::kSuccess);
}

TEST_F(LookupTest, SoManyAskAtOneTimeAndTheNextWhenOneIsOver) {
  LookUp("gate");
  for (int i = 1; i < kMostLookups; ++i) LookUp(absl::StrCat("slow", i));
  ASSERT_TRUE(server_.AwaitNames(kMostLookups));
  LookUp("last");
  // It has been begun when one that came later is done.
  EXPECT_EQ(Run(TcpAction{"127.0.0.1", open_.port()}).verdict, Verdict::kSuccess);
  EXPECT_FALSE(server_.WasAsked("last"));
  gate_is_open_ = true;  // for when it is asked again
  EXPECT_TRUE(server_.AwaitName("last"));
}

TEST_F(ChecksTest, Behaviour29_GrpcSucceedsWhenTheServiceServes) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  // gRPC's own health service needs another one beside it, whichever.
  v1::Cluster::Service other;
  builder.RegisterService(&other);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  server->GetHealthCheckService()->SetServingStatus("shop", true);
  server->GetHealthCheckService()->SetServingStatus("bank", false);
  GrpcAction action{"127.0.0.1", static_cast<uint16_t>(port), ""};
  EXPECT_EQ(Run(action).verdict, Verdict::kSuccess);
  action.service = "shop";
  EXPECT_EQ(Run(action).verdict, Verdict::kSuccess);
  action.service = "bank";
  EXPECT_EQ(Run(action).message, "service unhealthy (responded with \"NOT_SERVING\")");
  action.service = "unknown";
  EXPECT_EQ(Run(action).verdict, Verdict::kFailure);
  server->Shutdown();
}

TEST_F(ChecksTest, Behaviour29_GrpcFailsAtTheWrongPort) {
  const Listener closed(-1);
  EXPECT_EQ(Run(GrpcAction{"127.0.0.1", closed.port(), ""}).verdict, Verdict::kFailure);
  const Listener silent;
  const ProbeOutcome late =
      Run(GrpcAction{"127.0.0.1", silent.port(), ""}, absl::Milliseconds(200));
  EXPECT_EQ(late.verdict, Verdict::kFailure);
}

TEST_F(ChecksTest, Behaviour26_ACommandSucceedsWithExitCode0) {
  StartContainer();
  EXPECT_EQ(Run(ExecAction{{"exit", "0"}}).verdict, Verdict::kSuccess);
  const ProbeOutcome failed = Run(ExecAction{{"exit", "3"}});
  EXPECT_EQ(failed.verdict, Verdict::kFailure);
  EXPECT_EQ(failed.message, "command \"exit 3\" ended with exit code 3");
  EXPECT_EQ(machine_.LastExec("uid").group, kProbeGroup);
}

TEST_F(ChecksTest, ACommandThatTakesTooLongIsEnded) {
  StartContainer();
  const ProbeOutcome late = Run(ExecAction{{"cat"}}, absl::Milliseconds(100));
  EXPECT_EQ(late.verdict, Verdict::kFailure);
  EXPECT_EQ(late.message, "command \"cat\" timed out");
  EXPECT_EQ(machine_.running_execs(), 0);
}

TEST_F(ChecksTest, ACommandThatCannotBeStartedSaysNothingAboutTheContainer) {
  machine_.SetFault([](const std::string& verb, const std::string&) {
    return verb == "Exec" ? absl::UnavailableError("no cluster-init") : absl::OkStatus();
  });
  EXPECT_EQ(Run(ExecAction{{"exit", "0"}}).verdict, Verdict::kUnknown);
}

TEST_F(ChecksTest, NothingOfACommandIsLeftWhenTheLoopStops) {
  StartContainer();
  loop_->Run(MakeCheck(ExecAction{{"cat"}}, CheckPurpose::kProbe, "uid", "web", &runtime_), "uid",
             absl::InfiniteDuration(), [](ProbeOutcome) {});
  machine_.AwaitExec();
  loop_->Stop();
  EXPECT_EQ(machine_.running_execs(), 0);
}

TEST_F(ChecksTest, ManyRunAtOnce) {
  TextServer silent([](const std::string&) { return ""; });
  const Listener open;
  constexpr int kMany = 200;
  std::promise<void> all;
  std::atomic<int> left = kMany;
  for (int i = 0; i < kMany; ++i) {
    loop_->Run(MakeCheck(TcpAction{"127.0.0.1", silent.port()}, CheckPurpose::kProbe, "uid", "web",
                         &runtime_),
               "uid", absl::Seconds(30), [&](ProbeOutcome outcome) {
                 EXPECT_EQ(outcome.verdict, Verdict::kSuccess) << outcome.message;
                 if (--left == 0) all.set_value();
               });
  }
  all.get_future().get();
}

}  // namespace
}  // namespace cluster::node
