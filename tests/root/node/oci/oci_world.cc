#include "tests/root/node/oci/oci_world.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "base/file.h"

namespace cluster::oci {

namespace fs = std::filesystem;

namespace {

constexpr absl::Duration kDeadline = absl::Seconds(60);

std::vector<std::string> GroupsNamed(const std::string& name) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", error)) {
    if (fs::exists(hierarchy.path() / name, error)) found.push_back(hierarchy.path() / name);
  }
  if (fs::exists("/sys/fs/cgroup/" + name, error)) found.push_back("/sys/fs/cgroup/" + name);
  return found;
}

}  // namespace

OciWorld::OciWorld() : parent_(absl::StrCat("/cluster-oci-test-", getpid())) {
  EnterTestNamespaces();
  node::MakeBusyboxLayer(rootfs());
  fs::create_directories(base() + "/spec");
  const Outcome made = Call({"spec", "--bundle", base() + "/spec"});
  EXPECT_EQ(made.code, 0) << made.err;
  config = Json::parse(ReadFile(base() + "/spec/config.json").value());
  config["process"]["terminal"] = false;
  config["process"]["env"] = {"PATH=/bin"};
  config["root"]["readonly"] = false;
  config["linux"]["cgroupsPath"] = group();
  // On cgroup v1 `spec` leaves it out.
  Json& namespaces = config["linux"]["namespaces"];
  if (std::find(namespaces.begin(), namespaces.end(), Json{{"type", "cgroup"}}) ==
      namespaces.end()) {
    namespaces.push_back({{"type", "cgroup"}});
  }
}

OciWorld::~OciWorld() {
  const Outcome removed = Call({"delete", "--force", "c"});
  EXPECT_EQ(removed.code, 0) << removed.err;
  EXPECT_EQ(Call({"list", "-q"}).out, "");
  for (const std::string& group : GroupsNamed(parent_.substr(1))) {
    std::error_code error;
    EXPECT_TRUE(fs::is_empty(group, error) || !fs::exists(group + "/c")) << group << "/c is left";
    rmdir(group.c_str());
  }
}

std::string OciWorld::Program() {
  return fs::read_symlink("/proc/self/exe").parent_path() / "../bin/cluster-oci";
}

Json* OciWorld::FindMount(const std::string& destination) {
  for (Json& mount : config["mounts"]) {
    if (mount["destination"] == destination) return &mount;
  }
  return nullptr;
}

void OciWorld::AddMount(const std::string& destination, const std::string& type,
                        const std::string& source, std::vector<std::string> options) {
  config["mounts"].push_back(
      {{"destination", destination}, {"type", type}, {"source", source}, {"options", options}});
}

Outcome OciWorld::CallToFiles(std::vector<std::string> words) {
  words.insert(words.begin(), {Program(), "--root", base() + "/run"});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
  posix_spawn_file_actions_addopen(&actions, 1, (base() + "/out").c_str(), flags, 0644);
  posix_spawn_file_actions_addopen(&actions, 2, (base() + "/err").c_str(), flags, 0644);
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
          ReadFile(base() + "/out").value_or(""), ReadFile(base() + "/err").value_or("")};
}

Outcome OciWorld::Call(std::vector<std::string> words, const std::string& input) {
  words.insert(words.begin(), {Program(), "--root", base() + "/run"});
  return RunProgram(std::move(words), input);
}

void OciWorld::WriteConfig() { node::WriteTestFile(bundle() + "/config.json", config.dump()); }

Outcome OciWorld::Run(std::vector<std::string> flags) {
  WriteConfig();
  flags.insert(flags.begin(), {"run", "--bundle", bundle()});
  flags.push_back("c");
  return Call(flags);
}

Outcome OciWorld::Create(std::vector<std::string> flags) {
  WriteConfig();
  flags.insert(flags.begin(), {"create", "--bundle", bundle()});
  flags.push_back("c");
  return CallToFiles(flags);
}

void OciWorld::Start() {
  const Outcome created = Create();
  ASSERT_EQ(created.code, 0) << created.err;
  const Outcome started = Call({"start", "c"});
  ASSERT_EQ(started.code, 0) << started.err;
}

Outcome OciWorld::Exec(const std::string& script, std::vector<std::string> flags) {
  flags.insert(flags.begin(), "exec");
  flags.insert(flags.end(), {"c", "sh", "-c", script});
  return Call(flags);
}

std::string OciWorld::StatusOf(const std::string& id) {
  const Outcome state = Call({"state", id});
  return state.code == 0 ? Json::parse(state.out).at("status").get<std::string>() : "none";
}

int OciWorld::PidOf(const std::string& id) {
  const Outcome state = Call({"state", id});
  return state.code == 0 ? Json::parse(state.out).at("pid").get<int>() : 0;
}

void OciWorld::AwaitStatus(const std::string& status, const std::string& id) {
  const absl::Time deadline = absl::Now() + kDeadline;
  while (StatusOf(id) != status) {
    ASSERT_LT(absl::Now(), deadline) << id << " is " << StatusOf(id) << ", not " << status;
    sched_yield();
  }
}

std::string OciWorld::AwaitFile(const std::string& path) {
  const absl::Time deadline = absl::Now() + kDeadline;
  for (;;) {
    const auto text = ReadFile(path);
    if (text.ok() && !text->empty()) return *text;
    if (absl::Now() > deadline) {
      ADD_FAILURE() << path << " did not come";
      return "";
    }
    sched_yield();
  }
}

bool OciWorld::IsPureV2() { return fs::exists("/sys/fs/cgroup/cgroup.procs"); }

std::string OciWorld::ReadGroup(const std::string& controller, const std::string& v1,
                                const std::string& v2) const {
  const std::string directory = GroupDirectory(controller) + "/";
  return ReadFile(directory + (IsPureV2() ? v2 : v1)).value_or("none\n");
}

std::string OciWorld::GroupDirectory(const std::string& controller) const {
  const std::string v1 = absl::StrCat("/sys/fs/cgroup/", controller);
  return absl::StrCat(fs::exists(v1 + "/tasks") ? v1 : "/sys/fs/cgroup", group());
}

}  // namespace cluster::oci
