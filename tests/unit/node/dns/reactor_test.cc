#include "node/dns/reactor.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <future>

#include "gtest/gtest.h"

namespace cluster::node {
namespace {

struct Ends {
  UniqueFd read, write;
  Ends() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(pipe(fds), 0);
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
};

TEST(ReactorTest, CallsWhatIsReadyAndWhatIsPosted) {
  auto reactor = Reactor::Start(RealClock()).value();
  Ends ends;
  std::promise<char> heard;
  reactor->Post([&] {
    ASSERT_TRUE(reactor
                    ->Watch(ends.read.get(), EPOLLIN,
                            [&](uint32_t events) {
                              EXPECT_EQ(events, static_cast<uint32_t>(EPOLLIN));
                              char byte = 0;
                              ASSERT_EQ(read(ends.read.get(), &byte, 1), 1);
                              reactor->Unwatch(ends.read.get());
                              heard.set_value(byte);
                            })
                    .ok());
  });
  ASSERT_EQ(write(ends.write.get(), "x", 1), 1);
  EXPECT_EQ(heard.get_future().get(), 'x');
}

TEST(ReactorTest, CallsTimersInTheirOrderAndForgetsThem) {
  auto reactor = Reactor::Start(RealClock()).value();
  std::promise<std::string> done;
  std::string order;
  reactor->Post([&] {
    reactor->After(absl::Milliseconds(3), [&] { done.set_value(order + "c"); });
    reactor->After(absl::Milliseconds(2), [&] { order += "b"; });
    const Reactor::TimerId gone = reactor->After(absl::Milliseconds(1), [&] { order += "x"; });
    reactor->After(absl::ZeroDuration(), [&] { order += "a"; });
    reactor->Forget(gone);
  });
  EXPECT_EQ(done.get_future().get(), "abc");
}

// Two are ready in one go, and the first takes the other back, whose number is somebody else's
// by then.
TEST(ReactorTest, DoesNotCallWhatWasTakenBack) {
  auto reactor = Reactor::Start(RealClock()).value();
  Ends one, other;
  ASSERT_EQ(write(one.write.get(), "x", 1), 1);
  ASSERT_EQ(write(other.write.get(), "x", 1), 1);
  std::promise<void> done;
  int calls = 0;
  reactor->Post([&] {
    for (Ends* ends : {&one, &other}) {
      ASSERT_TRUE(reactor
                      ->Watch(ends->read.get(), EPOLLIN,
                              [&](uint32_t) {
                                ++calls;
                                reactor->Unwatch(one.read.get());
                                reactor->Unwatch(other.read.get());
                                reactor->After(absl::Milliseconds(5), [&] { done.set_value(); });
                              })
                      .ok());
    }
  });
  done.get_future().get();
  EXPECT_EQ(calls, 1);
}

TEST(ReactorTest, NothingIsCalledAfterStop) {
  auto reactor = Reactor::Start(RealClock()).value();
  reactor->Stop();
  reactor->Post([] { FAIL(); });
  reactor->Stop();
}

}  // namespace
}  // namespace cluster::node
