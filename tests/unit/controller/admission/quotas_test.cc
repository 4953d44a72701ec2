#include "controller/admission/quotas.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "rules.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Pod;
using domain::World;

class Quotas : public ::testing::Test {
 protected:
  QuotaBook book() const { return QuotaBook(world_.view(), "default"); }
  std::map<std::string, std::string> Used(const QuotaBook& book) const {
    const auto quotas = book.Quotas();
    EXPECT_EQ(quotas.size(), 1u);
    const auto& used = quotas.at(0).after.resource_quota().status().used();
    return {used.begin(), used.end()};
  }
  using Amounts = std::map<std::string, std::string>;

  World world_;
};

TEST_F(Quotas, Behaviour56CountsRiseAndFallWithTheObjects) {
  world_.Put(Quota("q",
                   "pods: 3, requests.cpu: 1, limits.memory: 1Gi, configmaps: 5, "
                   "count/deployments.apps: 2"));
  EXPECT_EQ(Used(book()), (Amounts{{"pods", "0"},
                                   {"requests.cpu", "0"},
                                   {"limits.memory", "0"},
                                   {"configmaps", "0"},
                                   {"count/deployments.apps", "0"}}));
  world_.Put(Pod("a").Request("cpu", "300m").Limit("memory", "64Mi"));
  world_.Put(Pod("b").Request("cpu", "200m").Limit("memory", "64Mi"));
  world_.Put(Pod("elsewhere").In("other").Request("cpu", "1"));
  world_.Put(domain::Deployment("web"));
  EXPECT_EQ(Used(book()), (Amounts{{"pods", "2"},
                                   {"requests.cpu", "500m"},
                                   {"limits.memory", "128Mi"},
                                   {"configmaps", "0"},
                                   {"count/deployments.apps", "1"}}));
  world_.Put(
      Pod("a").Request("cpu", "300m").Limit("memory", "64Mi").Phase(v1::POD_PHASE_SUCCEEDED));
  world_.Remove("deployments/default/web");
  EXPECT_EQ(Used(book()).at("pods"), "1") << "one that has ended holds nothing";
  EXPECT_EQ(Used(book()).at("requests.cpu"), "200m");
  EXPECT_EQ(Used(book()).at("count/deployments.apps"), "0");
}

TEST_F(Quotas, Behaviour56ServicesAndTheirPortsOfNodesAreCounted) {
  world_.Put(Quota("q",
                   "services: 3, services.nodeports: 2, services.loadbalancers: 1, "
                   "count/services: 3"));
  const auto service = [](const std::string& name, const std::string& type) {
    return FromYaml(absl::StrCat("apiVersion: v1\nkind: Service\nmetadata: {name: ", name,
                                 "}\nspec: {type: ", type,
                                 ", ports: [{name: a, port: 80}, {name: b, port: 81}]}\n"));
  };
  world_.Put(service("plain", "ClusterIP"));
  world_.Put(service("open", "NodePort"));
  EXPECT_EQ(Used(book()), (Amounts{{"services", "2"},
                                   {"services.nodeports", "2"},
                                   {"services.loadbalancers", "0"},
                                   {"count/services", "2"}}));
  EXPECT_EQ(book().Admit(nullptr, service("wide", "LoadBalancer")),
            "exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=2, "
            "limited: services.nodeports=2");
}

TEST_F(Quotas, Behaviour56TooMuchIsRefusedInKubectlsWords) {
  world_.Put(Quota("q", "pods: 2, requests.cpu: 1"));
  QuotaBook quotas = book();
  EXPECT_EQ(quotas.Admit(nullptr, Pod("a").Request("cpu", "600m")), "");
  EXPECT_EQ(quotas.Admit(nullptr, Pod("b").Request("cpu", "600m")),
            "exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: "
            "requests.cpu=1");
  EXPECT_EQ(quotas.Admit(nullptr, Pod("c").Request("cpu", "400m")), "") << "b was not counted";
  EXPECT_EQ(quotas.Admit(nullptr, Pod("d").Request("cpu", "1m")),
            "exceeded quota: q, requested: pods=1,requests.cpu=1m, used: pods=2,requests.cpu=1, "
            "limited: pods=2,requests.cpu=1");
}

TEST_F(Quotas, Behaviour56APodHasToSayWhatTheQuotaIsAbout) {
  world_.Put(Quota("q", "requests.cpu: 1, limits.memory: 1Gi"));
  EXPECT_EQ(book().Admit(nullptr, Pod("a").Request("cpu", "1")),
            "failed quota: q: must specify limits.memory for: main");
  EXPECT_EQ(book().Admit(nullptr, Pod("a")),
            "failed quota: q: must specify limits.memory for: main; requests.cpu for: main");
}

TEST_F(Quotas, Behaviour56ScopesChooseThePods) {
  world_.Put(Quota("q", "pods: 1", "  scopes: [BestEffort, NotTerminating]\n"));
  QuotaBook quotas = book();
  Pod ends("ends");
  ends.spec()->set_active_deadline_seconds(5);
  EXPECT_EQ(quotas.Admit(nullptr, Pod("burstable").Request("cpu", "1")), "");
  EXPECT_EQ(quotas.Admit(nullptr, ends), "");
  EXPECT_EQ(Used(quotas).at("pods"), "0");
  EXPECT_EQ(quotas.Admit(nullptr, Pod("a")), "");
  EXPECT_NE(quotas.Admit(nullptr, Pod("b")), "");
}

TEST_F(Quotas, AChangeIsCountedByItsDifference) {
  world_.Put(Quota("q", "requests.storage: 10Gi, persistentvolumeclaims: 1"));
  const v1::Object before = domain::Claim("data").Asks("4Gi");
  world_.Put(before);
  QuotaBook quotas = book();
  EXPECT_EQ(quotas.Admit(&before, domain::Claim("data").Asks("9Gi")), "");
  EXPECT_EQ(Used(quotas).at("requests.storage"), "9Gi");
  EXPECT_EQ(book().Admit(&before, domain::Claim("data").Asks("11Gi")),
            "exceeded quota: q, requested: requests.storage=7Gi, used: requests.storage=4Gi, "
            "limited: requests.storage=10Gi");
}

TEST_F(Quotas, WhatIsOverAlreadyMayShrinkAndOthersMayGrow) {
  world_.Put(Quota("q", "requests.storage: 1Gi, configmaps: 1"));
  const v1::Object before = domain::Claim("data").Asks("4Gi");
  world_.Put(before);
  QuotaBook quotas = book();
  EXPECT_EQ(quotas.Admit(&before, domain::Claim("data").Asks("2Gi")), "");
  EXPECT_EQ(
      quotas.Admit(nullptr, FromYaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")),
      "");
}

TEST_F(Quotas, EveryQuotaHasItsWord) {
  world_.Put(Quota("a", "pods: 5"));
  world_.Put(Quota("b", "pods: 1"));
  QuotaBook quotas = book();
  EXPECT_EQ(quotas.Admit(nullptr, Pod("a")), "");
  EXPECT_EQ(quotas.Admit(nullptr, Pod("b")),
            "exceeded quota: b, requested: pods=1, used: pods=1, limited: pods=1");
  EXPECT_EQ(quotas.Quotas().at(0).after.resource_quota().status().used().at("pods"), "1");
}

}  // namespace
}  // namespace cluster::controller
