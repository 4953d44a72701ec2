#include "controller/server/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

#include "base/mutex.h"

namespace cluster::controller {
namespace {

class Accepting : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = (std::filesystem::temp_directory_path() / "acceptor-XXXXXX").string();
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    path_ = directory_ + "/api.sock";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  UniqueFd Connect() const {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fd.reset();
    return fd;
  }

  struct Arrivals {
    void Add(UniqueFd fd) {
      MutexLock lock(&mutex);
      fds.push_back(std::move(fd));
      changed.SignalAll();
    }
    bool WaitFor(size_t count) {
      MutexLock lock(&mutex);
      const absl::Time deadline = absl::Now() + absl::Seconds(10);
      while (fds.size() < count && absl::Now() < deadline) {
        changed.WaitFor(&mutex, absl::Milliseconds(100));
      }
      return fds.size() >= count;
    }
    Mutex mutex;
    CondVar changed;
    std::vector<UniqueFd> fds;
  };

  std::string directory_;
  std::string path_;
};

TEST_F(Accepting, TheSocketIsForItsOwnerAlone) {
  const auto fd = ListenUnix(path_);
  ASSERT_TRUE(fd.ok()) << fd.status();
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(Accepting, ASocketThatADeadProcessLeftIsReplaced) {
  { const auto dead = ListenUnix(path_); }
  const auto alive = ListenUnix(path_);
  ASSERT_TRUE(alive.ok()) << alive.status();
  EXPECT_EQ(ListenUnix(path_).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(Accepting, AFileInTheWayIsLeftAlone) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(ListenUnix(path_).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(Accepting, ConnectionsOfTheOwnUserArrive) {
  Arrivals arrivals;
  auto acceptor = Acceptor::Start(*ListenUnix(path_), /*only_own_user=*/true,
                                  [&](UniqueFd fd) { arrivals.Add(std::move(fd)); });
  ASSERT_TRUE(acceptor.ok());
  const UniqueFd first = Connect();
  const UniqueFd second = Connect();
  EXPECT_TRUE(first.valid() && second.valid());
  EXPECT_TRUE(arrivals.WaitFor(2));
}

TEST_F(Accepting, ConnectionsOfOtherUsersAreClosed) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  Arrivals arrivals;
  auto acceptor = Acceptor::Start(*ListenUnix(path_), /*only_own_user=*/true,
                                  [&](UniqueFd fd) { arrivals.Add(std::move(fd)); });
  ASSERT_TRUE(acceptor.ok());
  // Even where the file's mode would let them in.
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) != 0) _exit(2);
    const UniqueFd fd = Connect();
    char byte = 0;
    _exit(fd.valid() && read(fd.get(), &byte, 1) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const UniqueFd own = Connect();
  EXPECT_TRUE(arrivals.WaitFor(1));
  MutexLock lock(&arrivals.mutex);
  EXPECT_EQ(arrivals.fds.size(), 1u);
}

// gRPC's own listener is dead for good after this.
TEST_F(Accepting, ItLivesThroughARunOutOfDescriptors) {
  Arrivals arrivals;
  auto acceptor = Acceptor::Start(*ListenUnix(path_), /*only_own_user=*/true,
                                  [&](UniqueFd fd) { arrivals.Add(std::move(fd)); });
  ASSERT_TRUE(acceptor.ok());
  const UniqueFd early = Connect();
  ASSERT_TRUE(arrivals.WaitFor(1));
  UniqueFd waiting(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::vector<UniqueFd> hogs;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  while (true) {
    UniqueFd hog(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!hog) break;
    hogs.push_back(std::move(hog));
  }
  // This one cannot be kept: it is taken and closed, which its client sees.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(connect(waiting.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  char byte = 0;
  EXPECT_EQ(read(waiting.get(), &byte, 1), 0);
  hogs.clear();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd late = Connect();
  EXPECT_TRUE(arrivals.WaitFor(2));
}

TEST(Listening, TcpSaysWhereItListens) {
  const auto fd = ListenTcp("127.0.0.1:0");
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(LocalAddress(fd->get()).rfind("127.0.0.1:", 0), 0u);
  EXPECT_EQ(ListenTcp("127.0.0.1").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ListenTcp("no.such.host.invalid:1").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cluster::controller
