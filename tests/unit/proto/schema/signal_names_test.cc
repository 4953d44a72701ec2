#include "proto/schema/signal_names.h"

#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST(SignalNumber, KnowsNamesAndNumbers) {
  EXPECT_EQ(SignalNumber("SIGTERM"), 15);
  EXPECT_EQ(SignalNumber("QUIT"), 3);
  EXPECT_EQ(SignalNumber("9"), 9);
  EXPECT_EQ(SignalNumber("SIGRTMIN"), 34);
  EXPECT_EQ(SignalNumber("SIGRTMIN+3"), 37);
  EXPECT_EQ(SignalNumber("SIGRTMAX-1"), 63);
}

TEST(SignalNumber, NothingElseIsASignal) {
  for (const char* text : {"", "SIG", "SIGNONE", "65", "0", "-1", "SIGRTMIN+31", "SIGRTMAX-31",
                           "SIGRTMIN-1", "sigterm", "TERM "}) {
    EXPECT_EQ(SignalNumber(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace cluster
