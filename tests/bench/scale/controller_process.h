// The real controller binary, on a store of its own, serving on 127.0.0.1.
#pragma once

#include <sys/types.h>

#include <string>

namespace cluster::bench {

class ControllerProcess {
 public:
  // Keeps everything below `directory`. Makes the process live in a network namespace of its own,
  // in which there is nothing but the loopback.
  ControllerProcess(std::string directory, int nodes);
  ~ControllerProcess();

  // Serves when it returns.
  void Start();
  // kill -9.
  void Kill();

  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }
  double cpu_seconds() const;
  // Memory that is the process's own, MiB: what files are mapped or cached is not in it.
  double own_memory() const;
  double store_mebibytes() const;

 private:
  const std::string directory_;
  const std::string address_ = "127.0.0.1:7000";
  const int cidr_bits_;
  pid_t pid_ = 0;
};

}  // namespace cluster::bench
