#include "node/oci/terminal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/init/sys.h"
#include "node/oci/paths.h"

namespace cluster::oci {
namespace {

constexpr char kMultiplexer[] = "/dev/pts/ptmx";
constexpr char kConsole[] = "/dev/console";

absl::Status CheckMultiplexer(int fd) {
  struct statfs fs {};
  struct stat info {};
  if (::fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC && ::fstat(fd, &info) == 0 &&
      info.st_rdev == makedev(5, 2)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(kMultiplexer,
                   " is not the pty multiplexer: process.terminal needs a devpts "
                   "mounted on /dev/pts"));
}

absl::StatusOr<UniqueFd> OpenSlave(int master) {
  int unlock = 0;
  if (::ioctl(master, TIOCSPTLCK, &unlock) != 0) return ErrnoStatus("unlock", "pty");
  // By descriptor, not by name: /dev/pts/N could be anything.
  UniqueFd slave(::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return ErrnoStatus("open", "the pty's terminal");
  return slave;
}

}  // namespace

absl::StatusOr<Terminal> MakeTerminal(const Process& process) {
  ASSIGN_OR_RETURN(const UniqueFd root, OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  Terminal terminal;
  terminal.master.reset(init::OpenAt2(root.get(), kMultiplexer, O_RDWR | O_NOCTTY,
                                      RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS));
  if (!terminal.master) return ErrnoStatus("open", kMultiplexer);
  RETURN_IF_ERROR(CheckMultiplexer(terminal.master.get()));
  ASSIGN_OR_RETURN(terminal.slave, OpenSlave(terminal.master.get()));
  if (process.console_size) {
    winsize size{};
    size.ws_row = process.console_size->height;
    size.ws_col = process.console_size->width;
    if (::ioctl(terminal.master.get(), TIOCSWINSZ, &size) != 0) {
      return ErrnoStatus("set the size of", "the terminal");
    }
  }
  if (::fchown(terminal.slave.get(), process.user.uid, static_cast<gid_t>(-1)) != 0) {
    return ErrnoStatus("give to the user", "the terminal");
  }
  if (::ioctl(terminal.slave.get(), TIOCSCTTY, 0) != 0) {
    return ErrnoStatus("take", "the controlling terminal");
  }
  return terminal;
}

absl::Status MountConsole(const Terminal& terminal) {
  ASSIGN_OR_RETURN(const UniqueFd root, OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  ASSIGN_OR_RETURN(const UniqueFd target, MakeFileIn(root.get(), kConsole, Links::kRefuse));
  const UniqueFd tree(
      ::open_tree(terminal.slave.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree || ::move_mount(tree.get(), "", target.get(), "",
                            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    return ErrnoStatus("mount the terminal on", kConsole);
  }
  return absl::OkStatus();
}

absl::Status UseTerminal(const Terminal& terminal) {
  for (int fd = 0; fd < 3; ++fd) {
    if (::dup2(terminal.slave.get(), fd) < 0) return ErrnoStatus("dup2", "terminal");
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> ConnectConsole(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus("socket");
  // Through a descriptor of its directory: an address holds 107 bytes only.
  ASSIGN_OR_RETURN(const UniqueFd directory,
                   OpenAt(AT_FDCWD, ParentOf(path[0] == '/' ? path : absl::StrCat("./", path)),
                          O_PATH | O_DIRECTORY));
  const std::string short_path = absl::StrCat("/proc/self/fd/", directory.get(), "/", BaseOf(path));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (short_path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat("--console-socket ", path, ": name too long"));
  }
  std::memcpy(address.sun_path, short_path.data(), short_path.size());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoStatus("connect to --console-socket", path);
  }
  return socket;
}

absl::Status SendMaster(int socket, int master) {
  char name[] = "/dev/ptmx";
  iovec data{name, sizeof name - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &master, sizeof master);
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) return ErrnoStatus("send", "the terminal");
  return absl::OkStatus();
}

struct Foreground::Saved {
  termios settings;
};

Foreground::Foreground(UniqueFd master, int input, int output)
    : master_(std::move(master)), input_(input), output_(output), saved_(new Saved) {
  ::fcntl(master_.get(), F_SETFL, ::fcntl(master_.get(), F_GETFL) | O_NONBLOCK);
  if (::tcgetattr(input_, &saved_->settings) != 0) return;
  termios raw = saved_->settings;
  ::cfmakeraw(&raw);
  // Not opost: what others print to our terminal meanwhile stays readable.
  raw.c_oflag |= OPOST;
  raw_ = ::tcsetattr(input_, TCSADRAIN, &raw) == 0;
  Resize();
}

Foreground::~Foreground() {
  if (raw_) ::tcsetattr(0, TCSADRAIN, &saved_->settings);
  delete saved_;
}

void Foreground::PumpInput() {
  char buffer[4096];
  const ssize_t got = ::read(input_, buffer, sizeof buffer);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    input_ = -1;
    // What a terminal says at its end.
    const char end_of_file = 4;
    (void)!::write(master_.get(), &end_of_file, 1);
    return;
  }
  (void)WriteAll(master_.get(), absl::string_view(buffer, static_cast<size_t>(got)));
}

bool Foreground::PumpOutput() {
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(master_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    if (!WriteAll(output_, absl::string_view(buffer, static_cast<size_t>(got))).ok()) return false;
  }
}

void Foreground::Resize() {
  winsize size{};
  if (::ioctl(0, TIOCGWINSZ, &size) == 0) ::ioctl(master_.get(), TIOCSWINSZ, &size);
}

}  // namespace cluster::oci
