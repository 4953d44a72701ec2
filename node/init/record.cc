#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

// Field 22 of /proc/PID/stat: together with the boot id it makes a pid unmistakable.
void AddStartTime(pid_t pid, Text* out) {
  TextBuffer<40> path;
  path.AddNumber(pid).Add("/stat");
  const int fd = openat(pod_state.host_proc, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char stat[1024];
  const ssize_t got = read(fd, stat, sizeof stat - 1);
  close(fd);
  if (got <= 0) return;
  stat[got] = 0;
  // The command name in parentheses may hold anything, so count from its end.
  const char* at = strrchr(stat, ')');
  for (int field = 2; at != nullptr && field < 22; ++field) at = strchr(at + 1, ' ');
  if (at == nullptr) return;
  out->Add("starttime ").Add(at + 1, strcspn(at + 1, " ")).Add("\n");
}

void AddBootId(Text* out) {
  const int fd = openat(pod_state.host_proc, "sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char boot_id[64];
  const ssize_t got = read(fd, boot_id, sizeof boot_id);
  close(fd);
  if (got > 0) out->Add("boot ").Add(boot_id, static_cast<size_t>(got));  // ends with a newline
}

// The 8-byte handle by which open_by_handle_at(2) finds the same pidfd again, or none for ever.
void AddPidfdHandle(int pidfd, Text* out) {
  alignas(file_handle) unsigned char storage[sizeof(file_handle) + MAX_HANDLE_SZ];
  file_handle* handle = reinterpret_cast<file_handle*>(storage);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (name_to_handle_at(pidfd, "", handle, &mount_id, AT_EMPTY_PATH) != 0) return;  // before 6.14
  out->Add("pidfd ").AddNumber(handle->handle_type).Add(":");
  out->AddHex(handle->f_handle, handle->handle_bytes).Add("\n");
}

bool WriteFile(int dir, const char* name, const Text& text, bool durable) {
  const int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const bool written = write(fd, text.c_str(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       (!durable || fsync(fd) == 0);
  const int error = errno;
  close(fd);
  errno = error;
  return written;
}

}  // namespace

void RecordStart(const Container& container) {
  TextBuffer<512> text;
  text.Add("pid ")
      .AddNumber(container.pid)
      .Add("\nstarted ")
      .AddNumber(container.started_ns)
      .Add("\n");
  AddBootId(&text);
  AddStartTime(container.pid, &text);
  AddPidfdHandle(container.pidfd, &text);
  if (!WriteFile(container.instance_dir, "started", text, false)) {
    Complain("record the start of", container.name, errno);
  }
}

void RecordExit(const Container& container) {
  TextBuffer<512 + kMaxText> text;
  text.Add("pid ").AddNumber(container.pid);
  text.Add("\nstarted ").AddNumber(container.started_ns);
  text.Add("\nfinished ").AddNumber(container.finished_ns);
  text.Add("\ncode ").AddNumber(container.exit_code);
  text.Add("\nsignal ").AddNumber(container.signal);
  text.Add("\noom ").AddNumber(container.oom_killed ? 1 : 0);
  text.Add("\nmessage ").Add(container.message).Add("\n");
  const int dir = container.instance_dir;
  if (!WriteFile(dir, "exit.tmp", text, true) || renameat(dir, "exit.tmp", dir, "exit") != 0 ||
      fsync(dir) != 0) {
    // The state stays in this process's memory and is still reported.
    Complain("record the exit of", container.name, errno);
  }
}

// memory.events (v2) and memory.oom_control (v1) both have a line "oom_kill N".
bool SawOomKill(int oom_file) {
  char text[1024];
  const ssize_t got = oom_file < 0 ? -1 : pread(oom_file, text, sizeof text - 1, 0);
  if (got <= 0) return false;
  text[got] = 0;
  for (const char* line = text; line != nullptr;) {
    if (strncmp(line, "oom_kill ", 9) == 0) return line[9] != '0';
    const char* newline = strchr(line, '\n');
    line = newline == nullptr ? nullptr : newline + 1;
  }
  return false;
}

}  // namespace cluster::init
