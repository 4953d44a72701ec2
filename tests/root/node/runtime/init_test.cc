// cluster-init alone: no cgroups, no bridge; the plan is what KernelRuntime would send.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "gtest/gtest.h"

#include "base/file.h"
#include "base/status.h"
#include "node/init/client.h"
#include "node/init/init_template.h"
#include "node/init/plan_writer.h"
#include "node/process/spawn.h"
#include "tests/root/node/runtime/rootfs_fixture.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

class InitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakeBusyboxLayer(layer());
    WriteTestFile(directory_.path() + "/etc/hosts", "127.0.0.1 localhost\n");
    WriteTestFile(directory_.path() + "/etc/hostname", "web-1\n");
    WriteTestFile(directory_.path() + "/etc/resolv.conf", "nameserver 10.96.0.10\n");
    auto dir = OpenAt(AT_FDCWD, directory_.path(), O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(dir.ok());
    dir_ = std::move(*dir);
    auto program = OpenProgramReadOnly(fs::read_symlink("/proc/self/exe").parent_path() /
                                       "../bin/cluster-init");
    ASSERT_TRUE(program.ok()) << program.status();
    template_.emplace(*std::move(program), directory_.path() + "/init.log");
    auto listener = InitClient::Listen(dir_.get(), "init.sock");
    ASSERT_TRUE(listener.ok()) << listener.status();
    auto log = OpenAt(dir_.get(), "init.log", O_WRONLY | O_CREAT | O_APPEND);
    auto mould = template_->Order(0, 0);
    ASSERT_TRUE(mould.ok()) << mould.status();
    ASSERT_EQ(mould->Become({"uid-1", "web-1", 0, 0, log->get(), listener->get()}),
              absl::OkStatus());
    auto welcome = mould->Hello();
    ASSERT_TRUE(welcome.ok()) << welcome.status();
    init_ = *std::move(welcome);
  }

  void TearDown() override {
    if (init_.pid == 0) return;
    auto client = Connect();
    if (client.ok()) (void)client->Shutdown();
    pollfd ended{init_.pidfd.get(), POLLIN, 0};
    EXPECT_EQ(poll(&ended, 1, 10'000), 1);
    EXPECT_EQ(ReadFile(directory_.path() + "/init.log").value_or("?"), "");
  }

  std::string layer() const { return directory_.path() + "/layer"; }

  absl::StatusOr<InitClient> Connect() { return InitClient::Connect(dir_.get(), "init.sock"); }

  // A conversation in which the start was told, and nothing more.
  absl::StatusOr<InitClient> Begin(std::vector<std::string> argv,
                                   uint32_t flags = init::kNoNewPrivileges) {
    const std::string instance = directory_.path() + "/instance";
    for (const char* part : {"/upper", "/work"}) fs::create_directories(instance + part);
    LaunchPlan plan;
    plan.name = "main";
    plan.flags = flags;
    plan.capabilities = kDefaultCapabilities;
    plan.argv = std::move(argv);
    plan.instance_path = instance;
    plan.env = {"PATH=/bin"};
    plan.layers = {layer()};
    plan.mounts = PlanMounts({directory_.path() + "/etc", true, false});
    ASSIGN_OR_RETURN(std::string bytes, EncodeLaunchPlan(plan));
    ASSIGN_OR_RETURN(UniqueFd instance_dir, OpenAt(AT_FDCWD, instance, O_RDONLY | O_DIRECTORY));
    ASSIGN_OR_RETURN(UniqueFd log, OpenAt(dir_.get(), "0.log", O_WRONLY | O_CREAT | O_APPEND));
    ASSIGN_OR_RETURN(InitClient client, Connect());
    InitStart start;
    start.plan = bytes;
    start.instance_dir = instance_dir.get();
    start.log_file = log.get();
    RETURN_IF_ERROR(client.Start(start));
    return client;
  }

  absl::StatusOr<InitRecord> Run(std::vector<std::string> argv,
                                 uint32_t flags = init::kNoNewPrivileges) {
    ASSIGN_OR_RETURN(InitClient client, Begin(std::move(argv), flags));
    return client.Go({});
  }

  // Until the instance has ended.
  InitRecord Await() {
    auto watch = Connect();
    EXPECT_TRUE(watch.ok() && watch->Watch().ok());
    for (;;) {
      auto client = Connect();
      auto records = client->Query();
      if (!records.ok() || records->empty()) return {};
      if (records->front().phase == init::Phase::kExited) return records->front();
      char message[64];
      EXPECT_GT(read(watch->fd(), message, sizeof message), 0);
    }
  }

  // The texts of the log, without time and stream.
  std::string Log() {
    std::istringstream lines(ReadFile(directory_.path() + "/0.log").value_or(""));
    std::string text;
    for (std::string line; std::getline(lines, line);) text += line.substr(40) + "\n";
    return text;
  }

  TemporaryDirectory directory_;
  UniqueFd dir_;
  std::optional<InitTemplate> template_;
  InitWelcome init_;
};

TEST_F(InitTest, RunsACommandAndKeepsItsExitCode) {
  auto started = Run({"sh", "-c", "echo hello; exit 42"});
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(started->message, "");
  const InitRecord record = Await();
  EXPECT_EQ(record.exit_code, 42);
  EXPECT_EQ(Log(), "hello\n");
  EXPECT_NE(ReadFile(directory_.path() + "/instance/exit").value_or("").find("code 42\n"),
            std::string::npos);
}

TEST_F(InitTest, ShowsTheContainerOnlyItsOwnMounts) {
  ASSERT_TRUE(Run({"cat", "/proc/self/mountinfo"}).ok());
  EXPECT_EQ(Await().exit_code, 0);
  const std::string log = Log();
  EXPECT_NE(log.find(" / / "), std::string::npos) << log;
  EXPECT_NE(log.find("/dev/pts"), std::string::npos) << log;
  EXPECT_EQ(log.find("/sys/fs/cgroup/memory"), std::string::npos) << log;
}

TEST_F(InitTest, MountsTheOldWayOnOlderKernels) {
  auto started = Run({"cat", "/etc/hostname"}, init::kNoNewPrivileges | init::kLegacyOverlay);
  ASSERT_TRUE(started.ok()) << started.status();
  const InitRecord record = Await();
  EXPECT_EQ(record.exit_code, 0) << record.message;
  EXPECT_EQ(Log(), "web-1\n");
}

TEST_F(InitTest, StartThatNobodyLetsGoNeverWas) {
  {
    auto begun = Begin({"touch", "/tmp/ran"});
    ASSERT_TRUE(begun.ok()) << begun.status();
    const auto records = Connect()->Query();
    ASSERT_TRUE(records.ok() && records->size() == 1u);
    EXPECT_EQ(records->front().phase, init::Phase::kStarting);
  }
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!Connect()->Query().value().empty()) ASSERT_LT(absl::Now(), deadline);
  const std::string instance = directory_.path() + "/instance";
  EXPECT_FALSE(fs::exists(instance + "/upper/tmp/ran"));
  EXPECT_FALSE(fs::exists(instance + "/exit"));
  EXPECT_FALSE(fs::exists(instance + "/started"));
  fs::remove_all(instance);
  ASSERT_TRUE(Run({"true"}).ok());
  EXPECT_EQ(Await().exit_code, 0);
}

TEST_F(InitTest, SaysWhichCommandIsMissing) {
  auto started = Run({"no-such-command"});
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(started->phase, init::Phase::kExited);
  EXPECT_EQ(started->exit_code, 127);
  EXPECT_EQ(started->message, "command not found in the container's PATH: no-such-command");
}

}  // namespace
}  // namespace cluster::node
