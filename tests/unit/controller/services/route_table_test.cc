#include "controller/services/route_table.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

class RouteTableTest : public testing::Test {
 protected:
  EntryPtr Entry(v1::Object object) {
    ++rev_;
    return MakeEntry(std::move(object), rev_, rev_);
  }
  // The view has it, and the table is told.
  void Put(v1::Object object) {
    const std::string key = Key(object);
    const EntryPtr before = view_.Find(key);
    const EntryPtr after = Entry(std::move(object));
    view_.Put(after);
    Tell(before, after);
  }
  void Remove(const std::string& key) {
    const EntryPtr before = view_.Find(key);
    view_.Remove(key);
    Tell(before, nullptr);
  }
  void Tell(const EntryPtr& before, const EntryPtr& after) {
    if ((after != nullptr ? after : before)->object.has_service()) {
      table_.ServiceChanged(before, after, view_);
    } else {
      table_.PodChanged(before, after);
    }
  }

  static v1::Object Service(const std::string& name, const std::string& app = "web",
                            const std::string& target = "8080") {
    v1::Object object = NewObject(*FindKind("Service"));
    MutableMeta(&object)->set_namespace_("default");
    MutableMeta(&object)->set_name(name);
    MutableMeta(&object)->set_uid("uid-of-" + name);
    v1::ServiceSpec* spec = object.mutable_service()->mutable_spec();
    if (!app.empty()) (*spec->mutable_selector())["app"] = app;
    spec->set_cluster_ip("10.60.0.7");
    v1::ServicePort* port = spec->add_ports();
    port->set_protocol(v1::PROTOCOL_TCP);
    port->set_port(80);
    port->set_target_port(target);
    return object;
  }
  static v1::Object Pod(const std::string& name, const std::string& address,
                        const std::string& app = "web") {
    v1::Object object = NewObject(*FindKind("Pod"));
    MutableMeta(&object)->set_namespace_("default");
    MutableMeta(&object)->set_name(name);
    MutableMeta(&object)->set_uid("uid-of-" + name);
    (*MutableMeta(&object)->mutable_labels())["app"] = app;
    object.mutable_pod()->mutable_spec()->set_node_name("node1");
    v1::ContainerPort* port = object.mutable_pod()->mutable_spec()->add_containers()->add_ports();
    port->set_name("http");
    port->set_container_port(8000);
    v1::PodStatus* status = object.mutable_pod()->mutable_status();
    status->set_phase(v1::POD_PHASE_RUNNING);
    status->set_pod_ip(address);
    v1::Condition* ready = status->add_conditions();
    ready->set_type("Ready");
    ready->set_status(v1::CONDITION_STATUS_TRUE);
    return object;
  }
  static v1::Object Ending(v1::Object pod) {
    MutableMeta(&pod)->mutable_deletion_timestamp()->set_seconds(1);
    return pod;
  }
  static v1::Object NotReady(v1::Object pod) {
    pod.mutable_pod()->mutable_status()->mutable_conditions(0)->set_status(
        v1::CONDITION_STATUS_FALSE);
    return pod;
  }
  // "ADDRESS:PORT ..." behind the first port of the only service that changed since.
  std::string Backends(int64_t since) {
    const v1::Routes routes = Since(since);
    if (routes.services_size() != 1) return absl::StrCat(routes.services_size(), " services");
    std::string text;
    for (const v1::Backend& backend : routes.services(0).ports(0).backends()) {
      absl::StrAppend(&text, text.empty() ? "" : " ", backend.address(), ":", backend.port());
    }
    return text;
  }

  v1::Routes Since(int64_t version) { return *table_.Since(version); }

  View view_;
  RouteTable table_{"10.60.0.0/16"};
  store::Rev rev_ = 0;
};

TEST_F(RouteTableTest, Behaviour57_ReadyPodsComeAndGo) {
  Put(Service("web"));
  EXPECT_EQ(Backends(0), "");
  int64_t known = table_.version();
  Put(NotReady(Pod("a", "10.64.0.1")));
  EXPECT_EQ(table_.version(), known);
  Put(Pod("a", "10.64.0.1"));
  Put(Pod("b", "10.64.0.2"));
  Put(Pod("stranger", "10.64.0.3", "db"));
  EXPECT_EQ(Backends(known), "10.64.0.1:8080 10.64.0.2:8080");
  known = table_.version();
  // Nobody else would notice.
  v1::Object labelled = Pod("b", "10.64.0.2");
  (*MutableMeta(&labelled)->mutable_labels())["colour"] = "blue";
  Put(labelled);
  EXPECT_EQ(table_.version(), known);
  Put(NotReady(Pod("a", "10.64.0.1")));
  EXPECT_EQ(Backends(known), "10.64.0.2:8080");
  Put(Ending(Pod("b", "10.64.0.2")));
  EXPECT_EQ(Backends(known), "");
  Remove("pods/default/b");
  EXPECT_EQ(Backends(known), "");
}

TEST_F(RouteTableTest, Behaviour57_SeveralPortsByNumberAndByName) {
  v1::Object service = Service("web", "web", "http");
  v1::ServicePort* second = service.mutable_service()->mutable_spec()->add_ports();
  second->set_protocol(v1::PROTOCOL_UDP);
  second->set_port(53);
  second->set_target_port("http");
  Put(service);
  Put(Pod("a", "10.64.0.1"));
  const v1::Routes routes = Since(0);
  ASSERT_EQ(routes.services_size(), 1);
  ASSERT_EQ(routes.services(0).ports_size(), 2);
  ASSERT_EQ(routes.services(0).ports(0).backends_size(), 1);
  EXPECT_EQ(routes.services(0).ports(0).backends(0).port(), 8000);
  EXPECT_EQ(routes.services(0).ports(0).backends(0).pod(), "a");
  // The pod's port of that name is one of TCP.
  EXPECT_EQ(routes.services(0).ports(1).backends_size(), 0);
}

TEST_F(RouteTableTest, UnreadyPodsCountWhereTheServiceSaysSo) {
  v1::Object service = Service("web");
  service.mutable_service()->mutable_spec()->set_publish_not_ready_addresses(true);
  Put(service);
  Put(NotReady(Pod("a", "10.64.0.1")));
  EXPECT_EQ(Backends(0), "10.64.0.1:8080");
  Put(Ending(NotReady(Pod("a", "10.64.0.1"))));
  EXPECT_EQ(Backends(0), "");
}

TEST_F(RouteTableTest, AServiceFindsThePodsThatWereThereBefore) {
  Put(Pod("a", "10.64.0.1"));
  Put(Pod("b", "10.64.0.2", "db"));
  Put(Service("web"));
  EXPECT_EQ(Backends(0), "10.64.0.1:8080");
  const int64_t known = table_.version();
  Put(Service("web", "db"));
  EXPECT_EQ(Backends(known), "10.64.0.2:8080");
  // Its selector alone is another: names and addresses are not.
  EXPECT_LE(table_.addresses_version(), known);
  EXPECT_EQ(table_.LeftWith("uid-of-a"), table_.version());
  EXPECT_EQ(table_.LeftWith("uid-of-b"), 0);
}

TEST_F(RouteTableTest, OneOfNoSelectorLeadsNowhere) {
  Put(Service("web", ""));
  Put(Pod("a", "10.64.0.1"));
  EXPECT_EQ(Backends(0), "");
}

TEST_F(RouteTableTest, WhatIsGoneIsTold) {
  Put(Pod("a", "10.64.0.1"));
  Put(Service("web"));
  Put(Service("also"));
  const int64_t known = table_.version();
  Remove("services/default/web");
  v1::Routes routes = Since(known);
  EXPECT_FALSE(routes.complete());
  ASSERT_EQ(routes.gone_size(), 1);
  EXPECT_EQ(routes.gone(0), "default/web");
  EXPECT_EQ(routes.services_size(), 0);
  EXPECT_EQ(table_.LeftWith("uid-of-a"), table_.version());
  // One that comes back is not gone.
  Remove("services/default/also");
  EXPECT_EQ(Since(known).gone_size(), 2);
  Put(Service("also"));
  routes = Since(known);
  EXPECT_EQ(routes.gone_size(), 1);
  EXPECT_EQ(routes.services_size(), 1);
}

TEST_F(RouteTableTest, WhoKnowsTooLittleIsToldEverything) {
  Put(Service("kept"));
  const int64_t known = table_.version();
  for (int i = 0; i < 1001; ++i) {
    Put(Service(absl::StrCat("s", i)));
    Remove(absl::StrCat("services/default/s", i));
  }
  const v1::Routes routes = Since(known);
  EXPECT_TRUE(routes.complete());
  EXPECT_EQ(routes.services_size(), 1);
  EXPECT_EQ(routes.gone_size(), 0);
  EXPECT_FALSE(Since(table_.version()).complete());
  EXPECT_EQ(Since(table_.version()).gone_size(), 0);
}

TEST_F(RouteTableTest, Behaviour86_SaysWithWhichVersionAPodWent) {
  Put(Service("web"));
  Put(Service("also"));
  Put(Pod("a", "10.64.0.1"));
  EXPECT_EQ(table_.LeftWith("uid-of-a"), 0);
  Put(Ending(Pod("a", "10.64.0.1")));
  EXPECT_EQ(table_.LeftWith("uid-of-a"), table_.version());
  Remove("pods/default/a");
  EXPECT_EQ(table_.LeftWith("uid-of-a"), 0);
}

TEST_F(RouteTableTest, ANameThatIsAnotherPodsLeadsToThatOne) {
  Put(Service("web"));
  Put(Pod("a", "10.64.0.1"));
  v1::Object next = Pod("a", "10.64.0.2");
  MutableMeta(&next)->set_uid("the-next");
  Put(next);
  EXPECT_EQ(Backends(0), "10.64.0.2:8080");
  EXPECT_EQ(table_.LeftWith("uid-of-a"), 0) << "it is not there any more";
  EXPECT_EQ(table_.LeftWith("the-next"), 0);
}

TEST_F(RouteTableTest, ANewTableIsTheOldOne) {
  Put(Service("web"));
  Put(Pod("a", "10.64.0.1"));
  Put(Ending(Pod("b", "10.64.0.2")));
  RouteTable other{"10.60.0.0/16"};
  other.Reset(view_);
  v1::Routes expected = Since(0);
  v1::Routes got = *other.Since(0);
  EXPECT_TRUE(got.complete());
  expected.clear_version();
  got.clear_version();
  EXPECT_EQ(got.SerializeAsString(), expected.SerializeAsString());
  // Nobody knows when it went.
  EXPECT_EQ(other.LeftWith("uid-of-b"), other.version());
  const int64_t before = table_.version();
  table_.Reset(view_);
  EXPECT_GT(table_.version(), before);
  EXPECT_TRUE(Since(before).complete());
}

TEST_F(RouteTableTest, HeadlessServicesHaveNoAddress) {
  v1::Object service = Service("web");
  service.mutable_service()->mutable_spec()->set_cluster_ip("None");
  Put(service);
  EXPECT_EQ(Since(0).services(0).cluster_ip(), "");
  EXPECT_EQ(Since(0).service_cidr(), "10.60.0.0/16");
}

TEST_F(RouteTableTest, Behaviour60_AHeadlessServiceTellsItsPodsByTheirHostnames) {
  v1::Object db = Service("db");
  db.mutable_service()->mutable_spec()->set_cluster_ip("None");
  // One of the two has no such port.
  db.mutable_service()->mutable_spec()->mutable_ports(0)->set_target_port("http");
  v1::Object named = Pod("a", "10.64.0.1");
  named.mutable_pod()->mutable_spec()->set_hostname("db-0");
  named.mutable_pod()->mutable_spec()->set_subdomain("db");
  v1::Object elsewhere = Pod("b", "10.64.0.2");
  elsewhere.mutable_pod()->mutable_spec()->set_hostname("db-0");
  elsewhere.mutable_pod()->mutable_spec()->set_subdomain("other");
  elsewhere.mutable_pod()->mutable_spec()->mutable_containers(0)->clear_ports();
  Put(db);
  Put(named);
  Put(elsewhere);
  const v1::Routes routes = Since(0);
  ASSERT_EQ(routes.services_size(), 1);
  const v1::ServiceRoute& route = routes.services(0);
  EXPECT_EQ(route.cluster_ip(), "");
  ASSERT_EQ(route.members_size(), 2);
  EXPECT_EQ(route.members(0).address(), "10.64.0.1");
  EXPECT_EQ(route.members(0).hostname(), "db-0");
  EXPECT_EQ(route.members(1).address(), "10.64.0.2");
  EXPECT_EQ(route.members(1).hostname(), "");
  ASSERT_EQ(route.ports(0).backends_size(), 1);
  EXPECT_EQ(route.ports(0).backends(0).hostname(), "db-0");
  EXPECT_EQ(route.ports(0).backends(0).port(), 8000);
}

TEST_F(RouteTableTest, AServiceWithAnAddressTellsNoMembers) {
  Put(Service("web"));
  Put(Pod("a", "10.64.0.1"));
  EXPECT_EQ(Since(0).services(0).members_size(), 0);
}

TEST_F(RouteTableTest, Behaviour61_AnotherNameIsToldAndHasNobodyBehindIt) {
  v1::Object out = Service("web");
  v1::ServiceSpec* spec = out.mutable_service()->mutable_spec();
  spec->set_type(v1::SERVICE_TYPE_EXTERNAL_NAME);
  spec->set_external_name("example.org");
  spec->clear_cluster_ip();
  Put(Service("web"));
  Put(Pod("a", "10.64.0.1"));
  const int64_t known = table_.version();
  Put(out);
  const v1::Routes routes = Since(known);
  ASSERT_EQ(routes.services_size(), 1);
  EXPECT_EQ(routes.services(0).external_name(), "example.org");
  EXPECT_EQ(routes.services(0).cluster_ip(), "");
  EXPECT_EQ(routes.services(0).ports_size(), 0);
  EXPECT_GT(table_.LeftWith("uid-of-a"), known) << "the pod is behind it no more";
  Put(Service("web"));
  EXPECT_EQ(Backends(known), "10.64.0.1:8080");
}

}  // namespace
}  // namespace cluster::controller
