#include "node/session/facts.h"

#include <stdlib.h>

#include <filesystem>

#include "gtest/gtest.h"

#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

class FactsTest : public testing::Test {
 protected:
  FactsOptions Options(const std::string& address) const {
    FactsOptions options;
    options.node = "node1";
    options.boot_id = "boot";
    options.address = address;
    options.cgroup_version = "v2";
    options.agent_version = "1";
    options.state_dir = directory_;
    return options;
  }
  FactsTest() {
    char path[] = "/tmp/cluster-facts-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~FactsTest() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(FactsTest, TheBootIdLastsUntilTheRunDirectoryIsEmptied) {
  const std::string first = BootId(directory_).value();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(BootId(directory_).value(), first);
  std::filesystem::remove(directory_ + "/boot_id");
  EXPECT_NE(BootId(directory_).value(), first);
}

TEST_F(FactsTest, WhatPodsMayHaveIsLessThanTheMachineHas) {
  const v1::NodeStatus status = ReadFacts(Options("192.0.2.1")).status();
  for (const char* resource : {"cpu", "memory", "ephemeral-storage"}) {
    const int64_t capacity = QuantityMilli(status.capacity().at(resource)).value();
    const int64_t allocatable = QuantityMilli(status.allocatable().at(resource)).value();
    EXPECT_GT(allocatable, 0) << resource;
    EXPECT_LE(allocatable, capacity) << resource;
    // The system's own part.
    if (std::string(resource) != "ephemeral-storage") {
      EXPECT_LT(allocatable, capacity) << resource;
    }
  }
  EXPECT_EQ(status.allocatable().at("pods"), "1k");
  EXPECT_FALSE(status.node_info().kernel_version().empty());
  EXPECT_EQ(status.node_info().boot_id(), "boot");
}

TEST_F(FactsTest, WithoutAnAddressNoneIsTold) {
  const v1::NodeStatus status = ReadFacts(Options("")).status();
  ASSERT_EQ(status.addresses_size(), 1);
  EXPECT_EQ(status.addresses(0).type(), "Hostname");
}

}  // namespace
}  // namespace cluster::node
