#include "node/oci/state.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

namespace cluster::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OciState : public ::testing::Test {
 protected:
  OciState() {
    EXPECT_NE(mkdtemp(base_.data()), nullptr);
    root_ = base_ + "/deep/root";
  }
  ~OciState() override { std::filesystem::remove_all(base_); }

  std::string base_ = "/tmp/oci-state-XXXXXX";
  std::string root_;
};

State Example() {
  State state;
  state.version = "1.0.2";
  state.id = "web";
  state.pid = 42;
  state.start_time = 77;
  state.boot_id = "b";
  state.created = "2026-01-02T03:04:05.000000006Z";
  state.bundle = "/bundle";
  state.rootfs = "/bundle/rootfs";
  state.annotations = {{"a", "\"quoted\"\n"}};
  state.cgroup = "/cluster-oci/web";
  state.owner = "root";
  state.own_pid_namespace = false;
  return state;
}

TEST_F(OciState, RoundTrips) {
  const auto decoded = DecodeState(EncodeState(Example()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(EncodeState(*decoded), EncodeState(Example()));
  EXPECT_EQ(decoded->start_time, 77u);
  EXPECT_FALSE(decoded->own_pid_namespace);
}

TEST_F(OciState, DamageIsSeen) {
  const std::string text = EncodeState(Example());
  EXPECT_FALSE(DecodeState("").ok());
  EXPECT_FALSE(DecodeState("{}").ok());
  EXPECT_FALSE(DecodeState(text.substr(0, text.size() / 2)).ok());
  EXPECT_THAT(DecodeState("{\"version\":99}").status().message(), HasSubstr("another version"));
}

TEST_F(OciState, PeopleSeeTheSpecificationsState) {
  const auto json = nlohmann::json::parse(StateForPeople(Example(), Status::kRunning));
  EXPECT_EQ(json["ociVersion"], "1.0.2");
  EXPECT_EQ(json["status"], "running");
  EXPECT_EQ(json["pid"], 42);
  EXPECT_EQ(json["bundle"], "/bundle");
  EXPECT_EQ(json["annotations"]["a"], "\"quoted\"\n");
  EXPECT_EQ(nlohmann::json::parse(StateForPeople(Example(), Status::kStopped))["pid"], 0);
}

// Row 24 of the security profile: an ID is one path component.
TEST_F(OciState, Row24_IdsCannotLeaveTheirDirectory) {
  for (const char* good : {"a", "web-1", "A_b.c+d", "0"}) EXPECT_TRUE(CheckId(good).ok()) << good;
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("../../x"),
        std::string("a/b"), std::string("-f"), std::string("a\nb"), std::string("a b"),
        std::string("ä"), std::string(4096, 'a'), std::string("a\0b", 3)}) {
    EXPECT_FALSE(CheckId(bad).ok()) << bad;
  }
}

TEST_F(OciState, DirectoriesAreMadeOnceAndFoundAgain) {
  EXPECT_THAT(ContainerDirectory::List(root_).value(), IsEmpty());
  auto made = ContainerDirectory::Create(root_, "web");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(absl::IsAlreadyExists(ContainerDirectory::Create(root_, "web").status()));
  EXPECT_TRUE(absl::IsNotFound(ContainerDirectory::Open(root_, "other").status()));
  ASSERT_TRUE(made->WriteState(Example()).ok());
  ASSERT_TRUE(made->WriteConfig("{}").ok());
  auto found = ContainerDirectory::Open(root_, "web");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->ReadState()->pid, 42);
  EXPECT_EQ(found->ReadConfig().value(), "{}");
  EXPECT_FALSE(found->AwaitsStart());
  EXPECT_THAT(ContainerDirectory::List(root_).value(), ElementsAre("web"));
  EXPECT_TRUE(found->Remove().ok());
  EXPECT_TRUE(found->Remove().ok());
  EXPECT_THAT(ContainerDirectory::List(root_).value(), IsEmpty());
}

TEST_F(OciState, AProcessIsKnownByItsStartAndBoot) {
  State state = Example();
  state.pid = getpid();
  state.start_time = StartTimeOf(getpid());
  state.boot_id = BootId().value();
  EXPECT_NE(state.start_time, 0u);
  EXPECT_TRUE(OpenProcess(state).ok());
  ++state.start_time;
  EXPECT_TRUE(absl::IsNotFound(OpenProcess(state).status()));
  --state.start_time;
  state.boot_id = "another";
  EXPECT_TRUE(absl::IsNotFound(OpenProcess(state).status()));
  state.pid = 0;
  EXPECT_TRUE(absl::IsNotFound(OpenProcess(state).status()));
}

}  // namespace
}  // namespace cluster::oci
