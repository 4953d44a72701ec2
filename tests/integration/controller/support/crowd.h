// Very many nodes without pods or threads of their own, which do nothing by themselves: they say
// hello and beat when the test tells them to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/channel.h"

#include "base/mutex.h"
#include "cluster/v1/session.grpc.pb.h"

namespace cluster::controller {

// Driven from one thread.
class Crowd {
 public:
  Crowd(int nodes, std::string name_prefix);
  ~Crowd();

  // All of them say hello at once, on streams that share these connections. Any earlier streams
  // must have ended, or are ended now.
  void Dial(std::vector<std::shared_ptr<grpc::Channel>> connections);
  void HangUp();

  // How many are let in.
  int welcomed() const;
  // How many streams have ended since Dial.
  int ended() const;
  // Waits up to a minute for so many or more.
  bool AwaitWelcomed(int count);
  bool AwaitEnded(int count);
  // Those that are in beat once. Waits up to a minute until each of them is answered; how many that
  // were, or -1.
  int Beat();

 private:
  class Member;
  template <typename Condition>
  bool Await(const Condition& condition);

  const int nodes_;
  const std::string name_prefix_;
  mutable Mutex mutex_;
  CondVar changed_;
  int welcomed_ ABSL_GUARDED_BY(mutex_) = 0;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;  // beats
  std::vector<std::shared_ptr<grpc::Channel>> connections_;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace cluster::controller
