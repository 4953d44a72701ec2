// What the hub makes of services: routes for every node, and the order in which pods leave them.
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "tests/unit/controller/session/hub_fixture.h"

namespace cluster::controller {
namespace {

v1::Object WebService() {
  v1::Object object = NewObject(*FindKind("Service"));
  MutableMeta(&object)->set_namespace_("default");
  MutableMeta(&object)->set_name("web");
  MutableMeta(&object)->set_uid("service-uid");
  v1::ServiceSpec* spec = object.mutable_service()->mutable_spec();
  (*spec->mutable_selector())["app"] = "web";
  spec->set_cluster_ip("10.60.0.7");
  v1::ServicePort* port = spec->add_ports();
  port->set_protocol(v1::PROTOCOL_TCP);
  port->set_port(80);
  port->set_target_port("8080");
  return object;
}

v1::Object ReadyPod() {
  v1::Object object = PodOnA();
  (*MutableMeta(&object)->mutable_labels())["app"] = "web";
  v1::PodStatus* status = object.mutable_pod()->mutable_status();
  status->set_phase(v1::POD_PHASE_RUNNING);
  status->set_pod_ip("10.64.0.9");
  v1::Condition* ready = status->add_conditions();
  ready->set_type("Ready");
  ready->set_status(v1::CONDITION_STATUS_TRUE);
  return object;
}

v1::Object Ending(v1::Object pod, int64_t grace = 30) {
  MutableMeta(&pod)->mutable_deletion_timestamp()->set_seconds(1);
  MutableMeta(&pod)->set_deletion_grace_period_seconds(grace);
  return pod;
}

class HubRoutes : public HubSessions {
 protected:
  void Acknowledge(FakeLink* link, int64_t version) {
    v1::NodeMessage message;
    message.mutable_routes_ack()->set_version(version);
    Say(link, std::move(message));
  }
  // Everything that was said before has been dealt with.
  void Settle(FakeLink* link) {
    const int64_t beat = Beat(link);
    ASSERT_TRUE(link->AwaitMessage(
        [beat](const auto& message) { return message.beat_ack().sequence() == beat; }));
  }
  // Attached, and knows all routes that there are by now.
  FakeLink* AttachKnowing(const std::string& node) {
    FakeLink* link = Link(node);
    link->SetSent([this, link] { Sent(link); });
    Say(link, link->Hello());
    Acknowledge(link, link->AwaitRoutes(1).version());
    Settle(link);
    return link;
  }
  // Of its first assignments.
  void AwaitTold(FakeLink* link) {
    ASSERT_TRUE(link->AwaitMessage([](const auto& message) { return message.has_assignments(); }));
  }
  // A pod on "a" behind a service; "a" and "b" attached.
  void StartServing(SessionOptions options = {}) {
    options.hold = absl::ZeroDuration();
    options.drain_pause = absl::Milliseconds(20);
    Store(WebService());
    Store(ReadyPod());
    Start(std::move(options));
    a_ = AttachKnowing("a");
    b_ = AttachKnowing("b");
    AwaitTold(a_);
    ASSERT_EQ(a_->Epochs().size(), 1u);
  }
  // Both have been told that the service leads nowhere; the version of that.
  int64_t AwaitRoutedAround() {
    int64_t version = 0;
    for (FakeLink* link : {a_, b_}) {
      EXPECT_TRUE(link->AwaitMessage([&version](const auto& message) {
        if (message.routes().services_size() != 1) return false;
        version = message.routes().version();
        return message.routes().services(0).ports(0).backends().empty();
      }));
    }
    return version;
  }
  void AwaitToldOfTheEnd() {
    EXPECT_TRUE(a_->AwaitMessage([](const auto& message) {
      return message.assignments().assignments_size() == 1 &&
             message.assignments().assignments(0).pod().metadata().has_deletion_timestamp();
    }));
  }

  FakeLink* a_ = nullptr;
  FakeLink* b_ = nullptr;
};

TEST_F(HubRoutes, Behaviour57_EveryNodeIsToldWhereAServiceLeads) {
  Start({});
  FakeLink* link = Attach("b");
  const v1::Routes none = link->AwaitRoutes(1);
  EXPECT_TRUE(none.complete());
  EXPECT_EQ(none.services_size(), 0);
  Store(WebService());
  Acknowledge(link, none.version());
  v1::Routes routes = link->AwaitRoutes(none.version() + 1);
  ASSERT_EQ(routes.services_size(), 1);
  EXPECT_FALSE(routes.complete());
  EXPECT_EQ(routes.services(0).cluster_ip(), "10.60.0.7");
  EXPECT_EQ(routes.services(0).ports(0).backends_size(), 0);
  Store(ReadyPod());
  Acknowledge(link, routes.version());
  routes = link->AwaitRoutes(routes.version() + 1);
  ASSERT_EQ(routes.services_size(), 1);
  ASSERT_EQ(routes.services(0).ports(0).backends_size(), 1);
  EXPECT_EQ(routes.services(0).ports(0).backends(0).address(), "10.64.0.9");
  EXPECT_EQ(routes.services(0).ports(0).backends(0).port(), 8080);
  EXPECT_EQ(routes.services(0).ports(0).backends(0).node(), "a");
}

TEST_F(HubRoutes, Behaviour86_APodEndsOnceEveryNodeRoutesAroundIt) {
  StartServing();
  Store(Ending(ReadyPod()));
  const int64_t version = AwaitRoutedAround();
  Acknowledge(a_, version);
  Settle(a_);
  EXPECT_EQ(a_->Epochs().size(), 1u);
  Acknowledge(b_, version);
  AwaitToldOfTheEnd();
}

TEST_F(HubRoutes, OthersArePlacedAndEndedWhileOneDrains) {
  StartServing();
  Store(Ending(ReadyPod()));
  AwaitRoutedAround();
  v1::Object other = PodOnA();
  MutableMeta(&other)->set_name("other");
  MutableMeta(&other)->set_uid("other-uid");
  Store(other);
  EXPECT_TRUE(a_->AwaitMessage([](const auto& message) {
    return message.assignments().assignments_size() == 1 &&
           message.assignments().assignments(0).pod().metadata().name() == "other";
  }));
}

TEST_F(HubRoutes, NobodyWaitsForALostNode) {
  SessionOptions options;
  options.beat = absl::Milliseconds(20);
  options.margin = absl::Milliseconds(20);
  options.drain_patience = absl::Hours(1);
  StartServing(options);
  Detach(b_);
  Store(Ending(ReadyPod()));
  int64_t version = 0;
  ASSERT_TRUE(a_->AwaitMessage([&version](const auto& message) {
    version = message.routes().version();
    return message.routes().services_size() == 1 &&
           message.routes().services(0).ports(0).backends().empty();
  }));
  Acknowledge(a_, version);
  Settle(a_);
  // It may be lost by now; that is known before the end is told.
  const size_t told = a_->Epochs().size();
  if (!Lost().contains("b")) {
    EXPECT_EQ(told, 1u);
  }
  // Its lease ends, while that of "a" goes on.
  while (!Lost().contains("b")) Settle(a_);
  AwaitToldOfTheEnd();
}

TEST_F(HubRoutes, ANodeThatDoesNotAnswerIsWaitedForOnlySoLong) {
  SessionOptions options;
  options.drain_patience = absl::Milliseconds(50);
  StartServing(options);
  const absl::Duration asked = RealClock()->Monotonic();
  Store(Ending(ReadyPod()));
  AwaitToldOfTheEnd();
  EXPECT_GE(RealClock()->Monotonic() - asked, options.drain_patience);
}

TEST_F(HubRoutes, WhatIsForcedToEndDoesNotWait) {
  SessionOptions options;
  options.drain_patience = absl::Hours(1);
  StartServing(options);
  Store(Ending(ReadyPod(), 0));
  AwaitToldOfTheEnd();
}

TEST_F(HubRoutes, AnEndThatIsForcedLaterWaitsNoLonger) {
  SessionOptions options;
  options.drain_patience = absl::Hours(1);
  StartServing(options);
  Store(Ending(ReadyPod()));
  AwaitRoutedAround();
  Store(Ending(ReadyPod(), 0));
  AwaitToldOfTheEnd();
}

TEST_F(HubRoutes, APodBehindNoServiceEndsAtOnce) {
  SessionOptions options;
  options.hold = absl::ZeroDuration();
  options.drain_patience = absl::Hours(1);
  Store(PodOnA());
  Start(options);
  a_ = AttachKnowing("a");
  AwaitTold(a_);
  Store(Ending(PodOnA()));
  AwaitToldOfTheEnd();
}

// Who was told what by the controller before this one is unknown.
TEST_F(HubRoutes, Behaviour86_AlsoOverARestartOfTheController) {
  SessionOptions options;
  options.drain_patience = absl::Hours(1);
  StartServing(options);
  Stop();
  Store(Ending(ReadyPod()));
  options.hold = absl::ZeroDuration();
  Start(options);
  a_ = AttachKnowing("a");
  EXPECT_TRUE(a_->Epochs().empty());
  b_ = AttachKnowing("b");
  AwaitToldOfTheEnd();
}

TEST_F(HubRoutes, WhatStartsFindsTheServicesThatWereThereBefore) {
  SessionOptions options;
  options.hold = absl::ZeroDuration();
  Start(options);
  a_ = Attach("a");
  a_->AwaitRoutes(1);
  AwaitTold(a_);
  Sent(a_);
  // It has not acknowledged, and so would be told of further routes later.
  Store(WebService());
  Store(PodOnA());
  bool routes = false;
  EXPECT_TRUE(a_->AwaitMessage([&routes](const auto& message) {
    routes = routes || message.routes().services_size() == 1;
    return message.assignments().assignments_size() == 1;
  }));
  EXPECT_TRUE(routes);
}

}  // namespace
}  // namespace cluster::controller
