#include "tests/bench/scale/controller_process.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"

#include "base/file.h"
#include "base/status.h"
#include "base/unique_handle.h"
#include "tests/bench/bench_tools.h"

namespace cluster::bench {
namespace {

// A range of 1,024 addresses for each node of up to 4,096, of 512 for each of up to 8,192.
int CidrBits(int nodes) { return nodes <= 4096 ? 22 : 23; }

// See netdevice(7).
void RaiseLoopback() {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", sizeof("lo"));
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!fd || ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) Die("the loopback does not come up");
}

}  // namespace

ControllerProcess::ControllerProcess(std::string directory, int nodes)
    : directory_(std::move(directory)), cidr_bits_(CidrBits(nodes)) {
  if (unshare(CLONE_NEWNET) != 0) Die(absl::StrCat("unshare: ", ErrnoName(errno)));
  RaiseLoopback();
}

ControllerProcess::~ControllerProcess() { Kill(); }

void ControllerProcess::Start() {
  const std::string program = ProgramDirectory() + "/../bin/cluster-controller";
  const std::string log = directory_ + "/controller.log";
  pid_ = fork();
  if (pid_ < 0) Die("fork");
  if (pid_ == 0) {
    // Not left behind when the bench ends early.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, STDERR_FILENO);
    dup2(out, STDOUT_FILENO);
    execl(program.c_str(), "cluster-controller", "--state-dir", (directory_ + "/state").c_str(),
          "--socket", (directory_ + "/api.sock").c_str(), "--listen", address_.c_str(),
          "--node-cidr-bits", absl::StrCat(cidr_bits_).c_str(), "--log-level", "warn", nullptr);
    _exit(127);
  }
  // A connection of its own: one that is shared may not have noticed yet that the last controller
  // is gone.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 20);
  const auto channel =
      grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
  const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(120);
  while (!channel->WaitForConnected(std::chrono::system_clock::now() +
                                    std::chrono::milliseconds(200))) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_ || std::chrono::system_clock::now() > deadline) {
      Die(absl::StrCat("the controller does not serve (status ", status,
                       "): ", ReadFile(log).value_or("no log")));
    }
  }
}

void ControllerProcess::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

double ControllerProcess::cpu_seconds() const { return CpuSeconds(pid_); }

double ControllerProcess::own_memory() const { return Mebibytes(pid_, "RssAnon"); }

double ControllerProcess::store_mebibytes() const {
  double bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory_ + "/state")) {
    if (file.is_regular_file()) bytes += static_cast<double>(file.file_size());
  }
  return bytes / (1 << 20);
}

}  // namespace cluster::bench
