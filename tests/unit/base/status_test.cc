#include "base/status.h"

#include "gtest/gtest.h"

namespace cluster {
namespace {

TEST(ErrnoStatus, NamesOperationObjectAndError) {
  const absl::Status status = ErrnoStatus(EBUSY, "mount", "/run/x/rootfs");
  EXPECT_EQ(status.message(), "mount /run/x/rootfs: EBUSY");
  EXPECT_TRUE(absl::IsUnavailable(status));
}

TEST(ErrnoStatus, LeavesNoGapWithoutAnObject) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "fsync").message(), "fsync: ENOSPC");
  EXPECT_TRUE(absl::IsResourceExhausted(ErrnoStatus(ENOSPC, "fsync")));
}

TEST(Annotate, KeepsCodeAndPayload) {
  absl::Status status = absl::NotFoundError("gone");
  status.SetPayload("type", absl::Cord("x"));
  const absl::Status annotated = Annotate(status, "pod web");
  EXPECT_EQ(annotated.message(), "pod web: gone");
  EXPECT_TRUE(absl::IsNotFound(annotated));
  EXPECT_EQ(*annotated.GetPayload("type"), "x");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

}  // namespace
}  // namespace cluster
