// The one loop in which everything of a cluster-init happens. epoll(7)
#pragma once

#include <stdint.h>

namespace cluster::init {

struct Pod;

constexpr uint32_t kReadable = 1;  // EPOLLIN
constexpr uint32_t kWritable = 4;  // EPOLLOUT

// What epoll calls when a descriptor is ready.
struct Watch {
  void (*ready)(void* owner) = nullptr;
  void* owner = nullptr;
};

void WatchFd(Pod* pod, int fd, Watch* watch, uint32_t events = kReadable);
void UnwatchFd(int fd);
void CloseFd(int* fd);  // also takes it out of epoll
[[noreturn]] void RunLoop(Pod* pod);
// A line for the agent's log.
void Complain(const char* what, const char* object, int error);

}  // namespace cluster::init
