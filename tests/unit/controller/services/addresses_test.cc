#include "controller/services/addresses.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/reader.h"

namespace cluster::controller {
namespace {

using testing::HasSubstr;

v1::Service Written(const std::string& spec) {
  const ReadResult result = ReadManifests(
      absl::StrCat("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: ", spec), "s.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  return result.documents.at(0).object.service();
}

// As the API does it with one write over `before`, which may be nullptr.
class Addresses : public testing::Test {
 protected:
  absl::StatusOr<v1::ServiceSpec> Apply(const std::string& spec,
                                        const v1::ServiceSpec* before = nullptr) {
    return Write(Written(spec), before);
  }
  absl::StatusOr<v1::ServiceSpec> Write(v1::Service service, const v1::ServiceSpec* before) {
    v1::Service old;
    if (before != nullptr) {
      *old.mutable_spec() = *before;
      KeepChosen(*before, service.mutable_spec());
    }
    v1::Object object;
    *object.mutable_service() = std::move(service);
    SetDefaults(&object);
    faults_.clear();
    for (const FieldError& error : Validate(object)) Note(error);
    const auto errors = FillInChosen(
        ranges_, [this](const std::string& claim) { return held_[claim]; }, "uid",
        before == nullptr ? nullptr : &old, object.mutable_service());
    if (!errors.ok()) return errors.status();
    for (const FieldError& error : *errors) Note(error);
    for (const FieldError& error : Validate(object)) Note(error);
    return object.service().spec();
  }
  void Note(const FieldError& error) {
    absl::StrAppend(&faults_, error.field, ": ", error.message, "\n");
  }

  ServiceRanges ranges_{{Ipv4{10u << 24 | 60u << 16}, 28}, 30000, 30003};
  std::map<std::string, std::string> held_;  // claims, and by whom
  std::string faults_;                       // of the last write
};

TEST_F(Addresses, AreChosenWhereTheTypeHasThem) {
  const auto plain = Apply("{ports: [{port: 80}]}");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_TRUE(ranges_.addresses.Contains(*ParseIpv4(plain->cluster_ip())));
  EXPECT_EQ(plain->cluster_ips(0), plain->cluster_ip());
  EXPECT_EQ(plain->ports(0).node_port(), 0);
  const auto with_port = Apply("{type: NodePort, ports: [{port: 80}]}");
  EXPECT_NE(with_port->cluster_ip(), "");
  EXPECT_GE(with_port->ports(0).node_port(), 30000);
  EXPECT_LE(with_port->ports(0).node_port(), 30003);
  EXPECT_EQ(Apply("{clusterIP: None, ports: [{port: 80}]}")->cluster_ip(), "None");
  const auto name = Apply("{type: ExternalName, externalName: a.example, ports: [{port: 80}]}");
  EXPECT_EQ(name->cluster_ip(), "");
  EXPECT_EQ(name->cluster_ips_size(), 0);
  EXPECT_EQ(faults_, "");
}

TEST_F(Addresses, Law9WhatIsHeldIsNotGivenAgain) {
  for (int i = 1; i <= 14; ++i) {
    const auto spec = Apply("{ports: [{port: 80}]}");
    ASSERT_TRUE(spec.ok()) << i << ": " << spec.status();
    EXPECT_EQ(held_[spec->cluster_ip()], "");
    held_[spec->cluster_ip()] = "somebody";
    EXPECT_NE(spec->cluster_ip(), "10.60.0.0");
    EXPECT_NE(spec->cluster_ip(), "10.60.0.15");
  }
  const auto more = Apply("{ports: [{port: 80}]}");
  EXPECT_EQ(more.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(more.status().message()),
              HasSubstr("no address is left in 10.60.0.0/28 for service/web"));
}

TEST_F(Addresses, Law9NodePortsAreHeldByProtocol) {
  for (const char* claim : {"TCP/30000", "TCP/30001", "TCP/30002"}) held_[claim] = "somebody";
  const auto spec = Apply(
      "{type: NodePort, ports: [{name: a, port: 80}, {name: u, port: 80, "
      "protocol: UDP}]}");
  EXPECT_EQ(spec->ports(0).node_port(), 30003);
  EXPECT_EQ(spec->ports(1).node_port(), 30003) << "one port of two protocols";
  const auto more = Apply("{type: NodePort, ports: [{name: a, port: 80}, {name: b, port: 81}]}");
  EXPECT_EQ(more.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(more.status().message()),
              HasSubstr("no TCP port of the nodes is left in 30000-30003"));
}

TEST_F(Addresses, WhatIsAskedForIsCheckedAndNamesTheHolder) {
  held_["10.60.0.5"] = "service/db in namespace shop";
  held_["TCP/30001"] = "service/db in namespace shop";
  const auto refusal = [&](const std::string& spec) {
    EXPECT_TRUE(Apply(spec).ok());
    return faults_;
  };
  EXPECT_EQ(refusal("{clusterIP: 10.60.0.5, ports: [{port: 80}]}"),
            "spec.clusterIP: 10.60.0.5 belongs to service/db in namespace shop; leave it out to "
            "get a free address\n");
  EXPECT_EQ(refusal("{clusterIP: 10.96.0.5, ports: [{port: 80}]}"),
            "spec.clusterIP: 10.96.0.5 is not within 10.60.0.0/28, the range of services "
            "(--service-cidr); leave it out to get a free address\n");
  EXPECT_EQ(refusal("{clusterIP: 10.60.0.15, ports: [{port: 80}]}"),
            "spec.clusterIP: 10.60.0.15 is the last address of 10.60.0.0/28, which no service has; "
            "leave it out to get a free one\n");
  EXPECT_EQ(refusal("{type: NodePort, ports: [{name: a, port: 80, nodePort: 30001}, {name: b, "
                    "port: 81, nodePort: 80}]}"),
            "spec.ports[0].nodePort: TCP port 30001 of the nodes belongs to service/db in "
            "namespace shop; leave it out to get a free one\n"
            "spec.ports[1].nodePort: 80 is not within 30000-30003, the ports of nodes for services "
            "(--node-ports); leave it out to get a free one\n");
  EXPECT_EQ(refusal("{clusterIP: 10.60.0.6, type: NodePort, ports: [{port: 80, nodePort: 30000}]}"),
            "");
}

TEST_F(Addresses, AnApplyThatDoesNotSayThemKeepsThem) {
  const auto first = Apply("{type: NodePort, ports: [{name: a, port: 80}, {name: b, port: 81}]}");
  const auto again =
      Apply("{type: NodePort, ports: [{name: b, port: 81}, {name: c, port: 82}]}", &*first);
  EXPECT_EQ(again->cluster_ip(), first->cluster_ip());
  EXPECT_EQ(again->ports(0).node_port(), first->ports(1).node_port());
  EXPECT_NE(again->ports(1).node_port(), first->ports(1).node_port());
  EXPECT_EQ(faults_, "");
  // Whatever the ranges are now: it has them.
  ranges_ = {{Ipv4{10u << 24}, 28}, 40000, 40001};
  const auto later = Apply("{type: NodePort, ports: [{port: 81}]}", &*again);
  EXPECT_EQ(faults_, "");
  EXPECT_EQ(later->cluster_ip(), first->cluster_ip());
  EXPECT_EQ(later->ports(0).node_port(), first->ports(1).node_port());
}

TEST_F(Addresses, Behaviour61_ChangingTheTypeTakesAndFrees) {
  const auto plain = Apply("{ports: [{port: 80}]}");
  const auto with_port = Apply("{type: NodePort, ports: [{port: 80}]}", &*plain);
  EXPECT_EQ(with_port->cluster_ip(), plain->cluster_ip());
  EXPECT_NE(with_port->ports(0).node_port(), 0);
  const auto back = Apply("{ports: [{port: 80}]}", &*with_port);
  EXPECT_EQ(back->cluster_ip(), plain->cluster_ip());
  EXPECT_EQ(back->ports(0).node_port(), 0);
  EXPECT_EQ(back->external_traffic_policy(), v1::SERVICE_TRAFFIC_POLICY_UNSPECIFIED);
  const auto name = Apply("{type: ExternalName, externalName: a.example}", &*back);
  EXPECT_EQ(name->cluster_ip(), "");
  const auto anew = Apply("{ports: [{port: 80}]}", &*name);
  EXPECT_NE(anew->cluster_ip(), "");
  EXPECT_EQ(faults_, "");
}

// As an editor does it, or `kubectl patch`: the whole object comes back with another type.
TEST_F(Addresses, Behaviour61_OnlyTheTypeIsEdited) {
  const auto with_port = Apply("{type: NodePort, ports: [{port: 80}]}");
  v1::Service edited = Written("{}");
  *edited.mutable_spec() = *with_port;
  edited.mutable_spec()->set_type(v1::SERVICE_TYPE_CLUSTER_IP);
  const auto plain = Write(edited, &*with_port);
  EXPECT_EQ(faults_, "");
  EXPECT_EQ(plain->ports(0).node_port(), 0);
  *edited.mutable_spec() = *plain;
  edited.mutable_spec()->set_type(v1::SERVICE_TYPE_EXTERNAL_NAME);
  edited.mutable_spec()->set_external_name("a.example");
  const auto name = Write(edited, &*plain);
  EXPECT_EQ(faults_, "");
  EXPECT_EQ(name->cluster_ip(), "");
  EXPECT_EQ(name->cluster_ips_size(), 0);
  *edited.mutable_spec() = *name;
  edited.mutable_spec()->set_type(v1::SERVICE_TYPE_CLUSTER_IP);
  EXPECT_NE(Write(edited, &*name)->cluster_ip(), "");
  EXPECT_EQ(faults_, "");
}

}  // namespace
}  // namespace cluster::controller
