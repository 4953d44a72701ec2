#include "node/services/service_book.h"

#include "gtest/gtest.h"

namespace cluster::node {
namespace {

v1::ServiceRoute Route(const std::string& name, const std::string& backend,
                       const std::string& name_space = "default") {
  v1::ServiceRoute route;
  route.set_namespace_(name_space);
  route.set_name(name);
  route.set_cluster_ip("10.60.0.7");
  v1::ServicePortRoute* port = route.add_ports();
  port->set_port(80);
  if (!backend.empty()) port->add_backends()->set_address(backend);
  return route;
}

v1::Routes Message(bool complete, const std::vector<v1::ServiceRoute>& services,
                   const std::vector<std::string>& gone = {}) {
  v1::Routes routes;
  routes.set_complete(complete);
  routes.set_service_cidr("10.60.0.0/16");
  for (const v1::ServiceRoute& service : services) *routes.add_services() = service;
  for (const std::string& key : gone) routes.add_gone(key);
  return routes;
}

std::string Keys(const ServiceBook& book) {
  std::string keys;
  for (const auto& [key, route] : book.table()->all) keys += key + " ";
  return keys;
}

TEST(ServiceBookTest, ChangesGoOnTopAndTheWholeTruthReplacesAll) {
  ServiceBook book;
  EXPECT_EQ(book.table()->service_cidr, "");
  EXPECT_TRUE(book.Apply(Message(true, {Route("a", "10.64.0.1"), Route("b", "")})));
  EXPECT_EQ(book.table()->service_cidr, "10.60.0.0/16");
  const std::shared_ptr<const KnownServices> old = book.table();
  EXPECT_TRUE(book.Apply(Message(false, {Route("c", "")}, {"default/b", "default/unheard"})));
  EXPECT_EQ(Keys(book), "default/a default/c ");
  EXPECT_EQ(old->all.count("default/b"), 1u) << "who reads one version reads on";
  EXPECT_TRUE(book.Apply(Message(true, {Route("d", "")})));
  EXPECT_EQ(Keys(book), "default/d ");
}

TEST(ServiceBookTest, SaysWhetherAnAddressIsAnother) {
  ServiceBook book;
  EXPECT_TRUE(book.Apply(Message(true, {Route("a", "10.64.0.1")})));
  EXPECT_FALSE(book.Apply(Message(false, {Route("a", "10.64.0.2")})));
  EXPECT_EQ(book.table()->all.at("default/a")->ports(0).backends(0).address(), "10.64.0.2");
  v1::ServiceRoute other = Route("a", "10.64.0.2");
  other.mutable_ports(0)->set_port(81);
  EXPECT_TRUE(book.Apply(Message(false, {other})));
  EXPECT_FALSE(book.Apply(Message(true, {other})));
}

TEST(ServiceBookTest, GivesANamespaceItsOwnWithoutBackends) {
  ServiceBook book;
  book.Apply(Message(true, {Route("a", "10.64.0.1", "shop"), Route("b", "10.64.0.2", "shop-2"),
                            Route("c", "10.64.0.3", "shop")}));
  const std::vector<v1::ServiceRoute> own = book.In("shop");
  ASSERT_EQ(own.size(), 2u);
  EXPECT_EQ(own[0].name(), "a");
  EXPECT_EQ(own[1].name(), "c");
  EXPECT_EQ(own[0].ports(0).port(), 80);
  EXPECT_EQ(own[0].ports(0).backends_size(), 0);
  EXPECT_TRUE(book.In("sho").empty());
}

TEST(ServiceBookTest, RemembersAddressesOverARestart) {
  ServiceBook book;
  v1::ServiceRoute alias = Route("b", "");
  alias.set_external_name("example.org");
  book.Apply(Message(true, {Route("a", "10.64.0.1"), alias}));
  ServiceBook next;
  next.Restore(book.Record());
  EXPECT_FALSE(next.table()->is_told);
  EXPECT_EQ(next.table()->service_cidr, "10.60.0.0/16");
  ASSERT_EQ(next.In("default").size(), 2u);
  EXPECT_EQ(next.In("default")[0].cluster_ip(), "10.60.0.7");
  EXPECT_EQ(next.In("default")[1].external_name(), "example.org");
  EXPECT_FALSE(next.Apply(Message(true, {Route("a", "10.64.0.9"), alias})));
  EXPECT_TRUE(next.table()->is_told);
}

}  // namespace
}  // namespace cluster::node
