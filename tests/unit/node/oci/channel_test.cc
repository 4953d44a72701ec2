#include "node/oci/channel.h"

#include <gtest/gtest.h>

namespace cluster::oci {
namespace {

TEST(Channel, TellsWhatWasSaidByOneWhoDiedWithoutListening) {
  auto pair = Channel::MakePair();
  ASSERT_TRUE(pair.ok()) << pair.status();
  auto& [ours, theirs] = *pair;
  // What they have not read makes the kernel say ECONNRESET before it gives out their last word.
  ASSERT_TRUE(ours.Send(Packet::kStart).ok());
  ASSERT_TRUE(theirs.Send(Packet::kFailed, "no such directory").ok());
  theirs.Close();
  const auto said = ours.Receive();
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(said->kind, Packet::kFailed);
  EXPECT_EQ(said->text, "no such directory");
  EXPECT_EQ(ours.Receive()->kind, Packet::kEnd);
}

}  // namespace
}  // namespace cluster::oci
