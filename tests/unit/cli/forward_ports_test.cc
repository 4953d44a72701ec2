#include "cli/commands/forward_ports.h"

#include "cli/session.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::cli {
namespace {

using ::testing::HasSubstr;

v1::Pod WebPod() {
  v1::Pod pod;
  pod.mutable_metadata()->set_name("web-1");
  v1::ContainerPort* port = pod.mutable_spec()->add_containers()->add_ports();
  port->set_name("http");
  port->set_container_port(8081);
  return pod;
}

TEST(ForwardPorts, EveryForm) {
  const std::pair<std::string, ForwardedPort> cases[] = {
      {"8080:80", {8080, 80}}, {"80", {80, 80}},        {":80", {0, 80}},
      {"0:80", {0, 80}},       {"1:65535", {1, 65535}}, {"9000:http", {9000, 8081}},
      {"http", {8081, 8081}},  {":http", {0, 8081}},
  };
  for (const auto& [word, expected] : cases) {
    const auto port = ParseForwardedPort(word, WebPod());
    ASSERT_TRUE(port.ok()) << word << ": " << port.status();
    EXPECT_EQ(*port, expected) << word;
  }
}

TEST(ForwardPorts, WhatIsNoneIsWrongUsage) {
  for (const std::string word : {"", ":", "8080:", "0", "8080:0", "65536", "80:65536", "-1:80",
                                 "65536:80", "a:80", "1:2:3", "80:+1", "80: 1"}) {
    const auto port = ParseForwardedPort(word, WebPod());
    EXPECT_TRUE(IsUsageError(port.status())) << word;
    EXPECT_THAT(std::string(port.status().message()), HasSubstr("\"")) << word;
  }
  EXPECT_TRUE(IsUsageError(ParseForwardedPorts({}, WebPod()).status()));
}

TEST(ForwardPorts, ANameThatNoContainerHasIsNotFound) {
  const auto port = ParseForwardedPort("80:https", WebPod());
  EXPECT_TRUE(absl::IsNotFound(port.status()));
  EXPECT_EQ(port.status().message(), "pod web-1 has no port named \"https\"");
}

TEST(ForwardPorts, SeveralInTheirOrder) {
  const auto ports = ParseForwardedPorts({"1:2", "3"}, WebPod());
  ASSERT_TRUE(ports.ok());
  EXPECT_THAT(*ports, testing::ElementsAre(ForwardedPort{1, 2}, ForwardedPort{3, 3}));
}

TEST(ForwardPorts, ThoseOfAServiceLeadToItsPods) {
  v1::Service service;
  service.mutable_metadata()->set_name("web");
  v1::ServicePort* port = service.mutable_spec()->add_ports();
  port->set_name("web");
  port->set_protocol(v1::PROTOCOL_TCP);
  port->set_port(80);
  port->set_target_port("http");
  const auto words = ToPodPorts({"80", "8080:80", ":web"}, service);
  ASSERT_TRUE(words.ok()) << words.status();
  EXPECT_EQ(*words, (std::vector<std::string>{"80:http", "8080:http", ":http"}));
  service.mutable_spec()->set_cluster_ip("None");
  EXPECT_EQ(*ToPodPorts({"8080:web"}, service), std::vector<std::string>{"8080:80"});
  port->set_protocol(v1::PROTOCOL_UDP);
  EXPECT_THAT(std::string(ToPodPorts({"80"}, service).status().message()),
              HasSubstr("service web has no TCP port 80"));
}

}  // namespace
}  // namespace cluster::cli
