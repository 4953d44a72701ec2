#include "node/oci/channel.h"

#include <fcntl.h>

#include "gtest/gtest.h"

namespace cluster::oci {
namespace {

TEST(Channel, PacketsKeepTheirKindTextAndDescriptors) {
  auto ends = Channel::MakePair().value();
  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(ends.first.Send(Packet::kFailed, "why", {file.get(), file.get()}).ok());
  ASSERT_TRUE(ends.first.Send(Packet::kCreated).ok());
  const Message first = ends.second.Receive().value();
  EXPECT_EQ(first.kind, Packet::kFailed);
  EXPECT_EQ(first.text, "why");
  EXPECT_EQ(first.fds.size(), 2u);
  EXPECT_EQ(ends.second.Receive()->kind, Packet::kCreated);
}

TEST(Channel, TheLastWordsOfOneWhoDidNotListenArrive) {
  auto ends = Channel::MakePair().value();
  ASSERT_TRUE(ends.first.Send(Packet::kMapped).ok());
  ASSERT_TRUE(ends.second.Send(Packet::kFailed, "why").ok());
  ends.second.Close();
  EXPECT_TRUE(absl::IsUnavailable(ends.first.Send(Packet::kCgroups)));
  const Message last = ends.first.Receive().value();
  EXPECT_EQ(last.kind, Packet::kFailed);
  EXPECT_EQ(last.text, "why");
  EXPECT_EQ(ends.first.Receive()->kind, Packet::kEnd);
}

}  // namespace
}  // namespace cluster::oci
