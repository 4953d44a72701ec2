// The whole agent on a pretended machine, against a controller's end of the protocol over real
// gRPC.
#include "node/agent/agent.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "openssl/sha.h"

#include "base/file.h"
#include "base/unique_handle.h"
#include "node/runtime/fake_runtime.h"
#include "proto/schema/assignments_digest.h"
#include "tests/integration/node/fake_controller.h"
#include "tests/integration/node/fake_images.h"
#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

using testing::HasSubstr;
using Heard = FakeController::Heard;

class AgentTest : public testing::Test {
 protected:
  AgentTest()
      : directory_(MakeDirectory()),
        machine_(RealClock(), directory_ + "/logs"),
        controller_(directory_ + "/api.sock") {
    StartAgent();
  }
  ~AgentTest() override {
    StopAgent();
    std::filesystem::remove_all(directory_);
  }
  static std::string MakeDirectory() {
    char path[] = "/tmp/cluster-agent-XXXXXX";
    return mkdtemp(path);
  }

  void StartAgent() {
    runtime_ = std::make_unique<FakeRuntime>(&machine_);
    AgentOptions options;
    options.controller = "unix:" + directory_ + "/api.sock";
    options.node = "node1";
    options.state_dir = directory_ + "/state";
    options.boot_id = "boot-1";
    options.address = "192.0.2.1";
    options.cgroup_version = "hybrid";
    options.workers.stuck_after = absl::Milliseconds(100);
    options.workers.threads = 2;
    AgentParts parts;
    parts.runtime = runtime_.get();
    parts.images = &images_;
    parts.clock = RealClock();
    parts.set_range = [this](const std::string& pods, const std::string&) {
      MutexLock lock(&mutex_);
      range_ = pods;
      return absl::OkStatus();
    };
    parts.set_peers = [](const std::vector<v1::Peer>&) { return absl::OkStatus(); };
    parts.services = &services_;
    parts.name_server = [] { return "10.64.0.1"; };
    parts.set_services = [this](const KnownServices& table) {
      MutexLock lock(&mutex_);
      kernel_services_ = table;
      return absl::OkStatus();
    };
    absl::StatusOr<std::unique_ptr<Agent>> agent = Agent::Start(options, std::move(parts));
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
  }
  void StopAgent() {
    agent_.reset();
    runtime_.reset();
  }
  bool AwaitRunning(const std::string& name, int restarts = 0) {
    return controller_.Await([&](const Heard& heard) {
      const auto pod = heard.pods.find("uid-" + name);
      return pod != heard.pods.end() && pod->second.status().phase() == v1::POD_PHASE_RUNNING &&
             pod->second.status().container_statuses(0).state().has_running() &&
             pod->second.status().container_statuses(0).restart_count() >= restarts;
    });
  }
  bool AwaitGone(const std::string& name) {
    return controller_.Await([&](const Heard& heard) {
      const auto pod = heard.pods.find("uid-" + name);
      return pod != heard.pods.end() && pod->second.gone();
    });
  }
  bool AwaitHellos(size_t count) {
    return controller_.Await([&](const Heard& heard) { return heard.hellos.size() >= count; });
  }
  // What came back over a stream that the controller asked for.
  std::vector<v1::NodeFrame> Ask(v1::OpenStream request,
                                 std::vector<v1::ControllerFrame> down = {}) {
    const std::string id = absl::StrCat("stream-", ++streams_);
    controller_.Script(id, std::move(down));
    request.set_stream_id(id);
    v1::ControllerMessage message;
    *message.mutable_open_stream() = request;
    controller_.Send(message);
    EXPECT_TRUE(
        controller_.Await([&](const Heard& heard) { return heard.ended_streams.count(id) != 0; }));
    return controller_.heard().streams[id];
  }
  static std::string Output(const std::vector<v1::NodeFrame>& frames) {
    std::string out;
    for (const v1::NodeFrame& frame : frames) out += frame.stdout();
    return out;
  }

  const std::string directory_;
  FakeMachine machine_;
  FakeImages images_;
  FakeController controller_;
  Mutex mutex_;
  std::string range_ ABSL_GUARDED_BY(mutex_);
  KnownServices kernel_services_ ABSL_GUARDED_BY(mutex_);
  ServiceBook services_;
  std::unique_ptr<FakeRuntime> runtime_;
  std::unique_ptr<Agent> agent_;
  int streams_ = 0;
};

TEST_F(AgentTest, Behaviour1_APodRunsIsDeletedAndGoes) {
  PodBuilder pod;
  controller_.Assign(pod.Get());
  ASSERT_TRUE(AwaitRunning("web"));
  controller_.Assign(pod.Deleted(5).Get());
  ASSERT_TRUE(AwaitGone("web"));
  EXPECT_TRUE(machine_.pods().empty());
  controller_.Remove("uid-web");
  ASSERT_TRUE(controller_.Await([&](const Heard& heard) {
    return !heard.acks.empty() && heard.acks.back().assignments_digest() == AssignmentsDigest({});
  }));
}

TEST_F(AgentTest, TheHelloTellsWhatTheMachineIs) {
  ASSERT_TRUE(AwaitHellos(1));
  const v1::Hello hello = controller_.heard().hellos[0];
  EXPECT_EQ(hello.node(), "node1");
  EXPECT_EQ(hello.agent_instance().size(), 16u);
  EXPECT_EQ(hello.boot_id(), "boot-1");
  EXPECT_EQ(hello.applied_revision(), 0);
  const v1::NodeStatus& facts = hello.facts().status();
  EXPECT_FALSE(facts.capacity().at("cpu").empty());
  EXPECT_FALSE(facts.capacity().at("memory").empty());
  EXPECT_EQ(facts.node_info().cgroup_version(), "hybrid");
  EXPECT_EQ(facts.addresses(0).address(), "192.0.2.1");
  EXPECT_EQ(hello.facts().metadata().labels().at("kubernetes.io/hostname"), "node1");
}

TEST_F(AgentTest, BeatsExtendTheLease) {
  ASSERT_TRUE(controller_.Await([](const Heard& heard) { return heard.beats >= 3; }));
  EXPECT_GT(agent_->session().LeaseEnd(), RealClock()->Monotonic());
  MutexLock lock(&mutex_);
  EXPECT_EQ(range_, "10.64.0.0/22");
}

TEST_F(AgentTest, AReconnectedNodeAgreesByDigestAndIsSentNothing) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  controller_.CutSession();
  ASSERT_TRUE(AwaitHellos(2));
  const Heard heard = controller_.heard();
  EXPECT_EQ(heard.hellos[1].assignments_digest(), controller_.Digest());
  EXPECT_EQ(heard.hellos[1].applied_revision(), controller_.revision());
  EXPECT_EQ(heard.hellos[1].last_session(), 1);
  EXPECT_EQ(heard.hellos[1].agent_instance(), heard.hellos[0].agent_instance());
  controller_.Assign(PodBuilder("db").Get());
  EXPECT_TRUE(AwaitRunning("db")) << "deltas go on where they were";
}

TEST_F(AgentTest, ADeltaThatDoesNotFitIsAnsweredWithResync) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  v1::ControllerMessage wrong;
  wrong.mutable_assignments()->set_applies_to(777);
  wrong.mutable_assignments()->set_results_in(778);
  *wrong.mutable_assignments()->add_assignments() = PodBuilder("ghost").Get();
  controller_.Send(wrong);
  ASSERT_TRUE(controller_.Await([](const Heard& heard) {
    return std::any_of(heard.acks.begin(), heard.acks.end(),
                       [](const auto& ack) { return ack.resync(); }) &&
           !heard.acks.back().resync();
  }));
  EXPECT_EQ(controller_.heard().acks.back().assignments_digest(), controller_.Digest());
  EXPECT_EQ(machine_.pods(), std::vector<std::string>{"uid-web"});
}

TEST_F(AgentTest, Behaviour85_StaleCopiesAreEndedBeforeTheListIsAcknowledged) {
  machine_.IgnoreSignals(true);
  controller_.Assign(PodBuilder().Get());
  controller_.Assign(PodBuilder("db").Get());
  ASSERT_TRUE(AwaitRunning("web"));
  ASSERT_TRUE(AwaitRunning("db"));
  const size_t acks = controller_.heard().acks.size();
  controller_.RemoveSilently("uid-web");
  controller_.CutSession();
  ASSERT_TRUE(controller_.Await([&](const Heard& heard) { return heard.acks.size() > acks; }));
  EXPECT_EQ(machine_.pods(), std::vector<std::string>{"uid-db"});
  EXPECT_EQ(controller_.heard().acks.back().assignments_digest(), controller_.Digest());
}

TEST_F(AgentTest, WhatWasNotAcknowledgedIsToldAgainInANewSession) {
  controller_.AcknowledgeStatus(false);
  controller_.Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  ASSERT_TRUE(AwaitRunning("web"));
  machine_.Exit("uid-web", "web", 3);
  const auto failed = [](const Heard& heard) {
    return std::count_if(heard.updates.begin(), heard.updates.end(), [](const auto& update) {
      return update.status().phase() == v1::POD_PHASE_FAILED;
    });
  };
  ASSERT_TRUE(controller_.Await([&](const Heard& heard) { return failed(heard) == 1; }));
  controller_.AcknowledgeStatus(true);
  controller_.CutSession();
  ASSERT_TRUE(controller_.Await([&](const Heard& heard) { return failed(heard) == 2; }));
  const Heard heard = controller_.heard();
  EXPECT_EQ(heard.updates.back().sequence(), heard.updates[heard.updates.size() - 2].sequence());
}

TEST_F(AgentTest, Law5_ARestartedAgentTellsTheExitThatHappenedMeanwhileWithHigherSequences) {
  controller_.Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  ASSERT_TRUE(AwaitRunning("web"));
  const int64_t before = controller_.heard().pods["uid-web"].sequence();
  StopAgent();
  machine_.Exit("uid-web", "web", 5);
  StartAgent();
  ASSERT_TRUE(controller_.Await([](const Heard& heard) {
    return heard.pods.at("uid-web").status().phase() == v1::POD_PHASE_FAILED;
  }));
  const v1::PodStatusUpdate update = controller_.heard().pods["uid-web"];
  EXPECT_EQ(update.status().container_statuses(0).state().terminated().exit_code(), 5);
  EXPECT_GT(update.sequence(), before);
  EXPECT_EQ(machine_.counts().started, 1);
}

TEST_F(AgentTest, Law5_AnAgentWithoutItsControllerKeepsRestartingPods) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  controller_.Down();
  StopAgent();
  machine_.Exit("uid-web", "web", 1);
  StartAgent();
  controller_.Up();
  EXPECT_TRUE(AwaitRunning("web", 1));
}

TEST_F(AgentTest, AControllerOfThePastIsRefused) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  controller_.SetTerm(0);
  controller_.RemoveSilently("uid-web");
  controller_.CutSession();
  ASSERT_TRUE(AwaitHellos(4)) << "it is refused, and dialled again";
  EXPECT_EQ(machine_.pods(), std::vector<std::string>{"uid-web"}) << "and nothing it says is done";
  controller_.SetTerm(2);
  ASSERT_TRUE(controller_.Await([](const Heard& heard) {
    return heard.acks.back().assignments_digest() == AssignmentsDigest({});
  }));
  EXPECT_TRUE(machine_.pods().empty());
}

TEST_F(AgentTest, AnAssignmentOfALowerEpochIsRefused) {
  controller_.Assign(PodBuilder().Epoch(10).Get());
  ASSERT_TRUE(AwaitRunning("web"));
  PodBuilder old;
  old.Deleted(0).Epoch(9);
  controller_.Assign(old.Get());
  controller_.Assign(PodBuilder("db").Get());
  ASSERT_TRUE(AwaitRunning("db"));
  EXPECT_EQ(machine_.counts().kills, 0);
  EXPECT_EQ(agent_->workers().Epochs().at("uid-web"), 10);
}

TEST_F(AgentTest, AStuckVerbHoldsUpOnlyItsPod) {
  Mutex mutex;
  CondVar released;
  bool stuck = true;
  machine_.SetFault([&](const std::string& verb, const std::string& uid) {
    MutexLock lock(&mutex);
    while (stuck && verb == "PrepareSandbox" && absl::StartsWith(uid, "uid-stuck")) {
      released.Wait(&mutex);
    }
    return absl::OkStatus();
  });
  // More stuck ones than there are threads.
  for (int i = 0; i < 5; ++i) controller_.Assign(PodBuilder(absl::StrCat("stuck", i)).Get());
  controller_.Assign(PodBuilder().Get());
  EXPECT_TRUE(AwaitRunning("web"));
  {
    MutexLock lock(&mutex);
    stuck = false;
    released.SignalAll();
  }
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(AwaitRunning(absl::StrCat("stuck", i)));
  StopAgent();  // before the lock that its verbs wait for
}

TEST_F(AgentTest, AnArchiveIsFetchedUnpackedAndReported) {
  controller_.Assign(PodBuilder("app").Get());
  PodBuilder pod("late");
  pod.First().set_image("redis");
  controller_.Assign(pod.Get());
  ASSERT_TRUE(controller_.Await([](const Heard& heard) {
    const auto late = heard.pods.find("uid-late");
    return late != heard.pods.end() &&
           late->second.status().container_statuses(0).state().waiting().reason() ==
               "ImageNotPresent";
  }));
  const std::string content = "redis\n" + std::string(100'000, 'x');
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest);
  v1::ImageArchive archive;
  archive.set_archive("sha256:" + absl::BytesToHexString(absl::string_view(
                                      reinterpret_cast<const char*>(digest), sizeof digest)));
  controller_.Want(archive, content);
  ASSERT_TRUE(controller_.Await([](const Heard& heard) { return !heard.reports.empty(); }));
  EXPECT_EQ(controller_.heard().reports[0].archive(), archive.archive());
  EXPECT_EQ(controller_.heard().reports[0].images(0).names(0), "redis");
  EXPECT_TRUE(AwaitRunning("late"));
  controller_.CutSession();
  ASSERT_TRUE(AwaitHellos(2));
  EXPECT_EQ(controller_.heard().hellos[1].archives(0), archive.archive());
}

TEST_F(AgentTest, AHostileArchiveIsRefusedWithItsReason) {
  const std::string content = "hostile";
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest);
  v1::ImageArchive archive;
  archive.set_archive("sha256:" + absl::BytesToHexString(absl::string_view(
                                      reinterpret_cast<const char*>(digest), sizeof digest)));
  ASSERT_TRUE(AwaitHellos(1));
  controller_.Want(archive, content);
  ASSERT_TRUE(controller_.Await([](const Heard& heard) { return !heard.reports.empty(); }));
  EXPECT_THAT(controller_.heard().reports[0].error(), HasSubstr("../../etc/passwd"));
}

TEST_F(AgentTest, LogsAreServedOverAStreamThatIsDialledBack) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  ASSERT_TRUE(machine_.WriteLog("uid-web", "web", "hello").ok());
  v1::OpenStream request;
  request.mutable_logs()->set_namespace_("default");
  request.mutable_logs()->set_pod("web");
  EXPECT_EQ(Output(Ask(request)), "hello\n");
}

TEST_F(AgentTest, FollowedLogsEndWithTheContainer) {
  controller_.Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  ASSERT_TRUE(AwaitRunning("web"));
  ASSERT_TRUE(machine_.WriteLog("uid-web", "web", "one").ok());
  v1::ControllerMessage message;
  message.mutable_open_stream()->set_stream_id("follow");
  v1::LogsRequest* logs = message.mutable_open_stream()->mutable_logs();
  logs->set_namespace_("default");
  logs->set_pod("web");
  logs->set_follow(true);
  controller_.Send(message);
  ASSERT_TRUE(controller_.Await([](const Heard& heard) {
    const auto stream = heard.streams.find("follow");
    return stream != heard.streams.end() && Output(stream->second) == "one\n";
  }));
  ASSERT_TRUE(machine_.WriteLog("uid-web", "web", "two").ok());
  machine_.Exit("uid-web", "web", 0);
  ASSERT_TRUE(controller_.Await(
      [](const Heard& heard) { return heard.ended_streams.count("follow") != 0; }));
  EXPECT_EQ(Output(controller_.heard().streams["follow"]), "one\ntwo\n");
}

v1::ControllerMessage RoutesOfRedis(int64_t version, const std::string& backend) {
  v1::ControllerMessage message;
  v1::Routes* routes = message.mutable_routes();
  routes->set_complete(version == 1);
  routes->set_version(version);
  routes->set_service_cidr("10.60.0.0/16");
  v1::ServiceRoute* service = routes->add_services();
  service->set_namespace_("default");
  service->set_name("redis");
  service->set_cluster_ip("10.60.0.11");
  v1::ServicePortRoute* port = service->add_ports();
  port->set_protocol(v1::PROTOCOL_TCP);
  port->set_port(6379);
  port->add_backends()->set_address(backend);
  return message;
}

TEST_F(AgentTest, RoutesAreAcknowledgedOnceTheKernelGoesByThem) {
  ASSERT_TRUE(AwaitHellos(1));
  for (int64_t version : {1, 2}) {
    const std::string backend = absl::StrCat("10.64.0.", version);
    controller_.Send(RoutesOfRedis(version, backend));
    ASSERT_TRUE(controller_.Await([version](const Heard& heard) {
      return !heard.routes_acks.empty() && heard.routes_acks.back() == version;
    }));
    MutexLock lock(&mutex_);
    ASSERT_EQ(kernel_services_.all.size(), 1u);
    EXPECT_EQ(kernel_services_.service_cidr, "10.60.0.0/16");
    EXPECT_EQ(kernel_services_.all.at("default/redis")->ports(0).backends(0).address(), backend);
  }
}

TEST_F(AgentTest, Behaviour19_ContainersFindServicesAlsoWithoutTheController) {
  ASSERT_TRUE(AwaitHellos(1));
  controller_.Send(RoutesOfRedis(1, "10.64.0.9"));
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  const auto finds_redis = [this] {
    const ContainerSpec spec = machine_.LastSpec("uid-web", "web");
    return std::count(spec.env.begin(), spec.env.end(), "REDIS_SERVICE_HOST=10.60.0.11") == 1;
  };
  EXPECT_TRUE(finds_redis());
  controller_.Down();
  StopAgent();
  machine_.Exit("uid-web", "web", 1);
  StartAgent();
  controller_.Up();
  ASSERT_TRUE(AwaitRunning("web", 1));
  EXPECT_TRUE(finds_redis());
}

TEST_F(AgentTest, PreviousLogsNeedARestart) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  ASSERT_TRUE(machine_.WriteLog("uid-web", "web", "first life").ok());
  v1::OpenStream request;
  request.mutable_logs()->set_namespace_("default");
  request.mutable_logs()->set_pod("web");
  request.mutable_logs()->set_previous(true);
  EXPECT_THAT(Ask(request).back().error().message(), HasSubstr("never restarted"));
  machine_.Exit("uid-web", "web", 1);
  ASSERT_TRUE(AwaitRunning("web", 1));
  EXPECT_EQ(Output(Ask(request)), "first life\n");
}

TEST_F(AgentTest, Behaviour75_ExecPassesInputOutputAndExitCode) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  v1::OpenStream request;
  request.mutable_exec()->set_namespace_("default");
  request.mutable_exec()->set_pod("web");
  request.mutable_exec()->set_stdin(true);
  request.mutable_exec()->add_command("cat");
  std::vector<v1::ControllerFrame> down;
  std::string want;
  for (int i = 0; i < 200; ++i) {
    down.emplace_back().set_stdin(std::string(5000, static_cast<char>('a' + i % 26)));
    want += down.back().stdin();
  }
  down.emplace_back().set_stdin_eof(true);
  const std::vector<v1::NodeFrame> frames = Ask(request, down);
  EXPECT_EQ(Output(frames), want);
  EXPECT_EQ(frames.back().frame_case(), v1::NodeFrame::kExitCode);
  EXPECT_EQ(frames.back().exit_code(), 0);
  request.mutable_exec()->clear_command();
  request.mutable_exec()->add_command("exit");
  request.mutable_exec()->add_command("42");
  EXPECT_EQ(Ask(request).back().exit_code(), 42);
}

// Listens on a port of the loopback for one connection, and answers once it has heard all.
class OneAnswer {
 public:
  OneAnswer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    auto* generic = reinterpret_cast<sockaddr*>(&name);
    EXPECT_EQ(::bind(listener_.get(), generic, size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener_.get(), generic, &size), 0);
    port_ = ntohs(name.sin_port);
    thread_ = std::thread([this] { Answer(); });
  }
  ~OneAnswer() {
    ::shutdown(listener_.get(), SHUT_RDWR);  // nobody came
    thread_.join();
  }
  uint32_t port() const { return port_; }

 private:
  void Answer() {
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string heard = "you said: ";
    char piece[4096];
    for (ssize_t got; (got = ::read(connection.get(), piece, sizeof piece)) > 0;) {
      heard.append(piece, static_cast<size_t>(got));
    }
    for (size_t at = 0; at < heard.size();) {
      const ssize_t put =
          ::send(connection.get(), heard.data() + at, heard.size() - at, MSG_NOSIGNAL);
      if (put <= 0) return;
      at += static_cast<size_t>(put);
    }
  }

  UniqueFd listener_;
  uint32_t port_ = 0;
  std::thread thread_;
};

TEST_F(AgentTest, PortForwardPassesBothDirectionsAndTheirEnds) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  const OneAnswer server;
  v1::OpenStream request;
  request.mutable_port_forward()->set_namespace_("default");
  request.mutable_port_forward()->set_pod("web");
  request.mutable_port_forward()->set_port(server.port());
  std::vector<v1::ControllerFrame> down;
  std::string want = "you said: ";
  for (int i = 0; i < 200; ++i) {
    down.emplace_back().set_stdin(std::string(20'000, static_cast<char>('a' + i % 26)));
    want += down.back().stdin();
  }
  down.emplace_back().set_stdin_eof(true);
  const std::vector<v1::NodeFrame> frames = Ask(request, down);
  EXPECT_EQ(Output(frames), want);
  EXPECT_TRUE(frames.back().stdout_eof());
}

TEST_F(AgentTest, APortThatNobodyListensOnIsSaid) {
  controller_.Assign(PodBuilder().Get());
  ASSERT_TRUE(AwaitRunning("web"));
  v1::OpenStream request;
  request.mutable_port_forward()->set_namespace_("default");
  request.mutable_port_forward()->set_pod("web");
  // Of the ports of root, one that nothing here uses.
  request.mutable_port_forward()->set_port(1);
  const std::vector<v1::NodeFrame> frames = Ask(request);
  EXPECT_EQ(frames.back().error().code(), static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_THAT(frames.back().error().message(), HasSubstr("nobody listens on port 1"));
}

TEST_F(AgentTest, StreamsThatCannotBeServedSayWhy) {
  ASSERT_TRUE(AwaitHellos(1));
  v1::OpenStream request;
  request.mutable_exec()->set_namespace_("default");
  request.mutable_exec()->set_pod("ghost");
  const std::vector<v1::NodeFrame> frames = Ask(request);
  EXPECT_EQ(frames.back().error().code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_THAT(frames.back().error().message(), HasSubstr("default/ghost"));
}

TEST_F(AgentTest, ManyPodsComeAndGo) {
  constexpr int kPods = 100;
  for (int i = 0; i < kPods; ++i) controller_.Assign(PodBuilder(absl::StrCat("p", i)).Get());
  for (int i = 0; i < kPods; ++i) ASSERT_TRUE(AwaitRunning(absl::StrCat("p", i)));
  for (int i = 0; i < kPods; ++i) {
    controller_.Assign(PodBuilder(absl::StrCat("p", i)).Deleted(5).Get());
  }
  for (int i = 0; i < kPods; ++i) ASSERT_TRUE(AwaitGone(absl::StrCat("p", i)));
  EXPECT_TRUE(machine_.pods().empty());
  EXPECT_EQ(machine_.counts().started, kPods);
}

}  // namespace
}  // namespace cluster::node
