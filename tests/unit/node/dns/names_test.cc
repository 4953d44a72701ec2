#include "node/dns/names.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

class NamesTest : public testing::Test {
 protected:
  NamesTest() {
    table_.is_told = true;
    table_.service_cidr = "10.60.0.0/16";
  }
  v1::ServiceRoute* Add(const std::string& name, const std::string& address,
                        const std::string& name_space = "default") {
    auto route = std::make_shared<v1::ServiceRoute>();
    route->set_namespace_(name_space);
    route->set_name(name);
    route->set_cluster_ip(address);
    v1::ServiceRoute* const raw = route.get();
    table_.all[absl::StrCat(name_space, "/", name)] = std::move(route);
    return raw;
  }
  static v1::ServicePortRoute* AddPort(const std::string& name, v1::Protocol protocol, int number,
                                       v1::ServiceRoute* route) {
    v1::ServicePortRoute* port = route->add_ports();
    port->set_name(name);
    port->set_protocol(protocol);
    port->set_port(number);
    return port;
  }
  // Behind all ports, too.
  static void AddMember(const std::string& address, const std::string& hostname,
                        v1::ServiceRoute* route) {
    v1::Backend* member = route->add_members();
    member->set_address(address);
    member->set_hostname(hostname);
    for (v1::ServicePortRoute& port : *route->mutable_ports()) {
      v1::Backend* backend = port.add_backends();
      *backend = *member;
      backend->set_port(port.port() + 8000);
    }
  }
  // "A 10.60.0.7; SRV web.default.svc.cluster.local:80", or why not.
  std::string Ask(const std::string& name, RecordType type = RecordType::kA) {
    const Names names(std::make_shared<const KnownServices>(table_), "cluster.local");
    const NameAnswer answer = names.Find(name, type);
    if (!answer.is_ours) return "not ours";
    std::string text = answer.code == ResponseCode::kNoSuchName      ? "no such name"
                       : answer.code == ResponseCode::kServerFailure ? "not known"
                                                                     : "";
    if (answer.is_stale) text += " yet";
    for (const NameRecord& record : answer.records) absl::StrAppend(&text, Text(record));
    for (const NameRecord& record : answer.additional) absl::StrAppend(&text, "+", Text(record));
    if (!answer.elsewhere.empty()) absl::StrAppend(&text, "-> ", answer.elsewhere);
    return text;
  }
  static std::string Text(const NameRecord& record) {
    const std::string owner = record.owner.empty() ? "" : record.owner + " ";
    if (record.type == RecordType::kA) return absl::StrCat(owner, ToString(record.address), ";");
    const std::string port = record.port == 0 ? "" : absl::StrCat(":", record.port);
    return absl::StrCat(owner, record.target, port, ";");
  }

  KnownServices table_;
};

TEST_F(NamesTest, Behaviour59_AServiceHasItsAddress) {
  Add("web", "10.60.0.7");
  EXPECT_EQ(Ask("web.default.svc.cluster.local"), "10.60.0.7;");
  EXPECT_EQ(Ask("web.other.svc.cluster.local"), "no such name");
  EXPECT_EQ(Ask("db.default.svc.cluster.local"), "no such name");
  EXPECT_EQ(Ask("web.default.cluster.local"), "no such name");
}

TEST_F(NamesTest, Behaviour59_AHeadlessServiceHasThoseOfItsPods) {
  v1::ServiceRoute* db = Add("db", "");
  EXPECT_EQ(Ask("db.default.svc.cluster.local"), "") << "it is there, with nobody behind it";
  AddMember("10.64.0.2", "", db);
  AddMember("10.64.1.2", "", db);
  EXPECT_EQ(Ask("db.default.svc.cluster.local"), "10.64.0.2;10.64.1.2;");
}

TEST_F(NamesTest, Behaviour59_NamedPortsAreServers) {
  v1::ServiceRoute* web = Add("web", "10.60.0.7");
  AddPort("http", v1::PROTOCOL_TCP, 80, web);
  AddPort("dns", v1::PROTOCOL_UDP, 53, web);
  AddPort("", v1::PROTOCOL_TCP, 81, web);
  const std::string target = "web.default.svc.cluster.local";
  EXPECT_EQ(Ask("_http._tcp." + target, RecordType::kSrv),
            absl::StrCat(target, ":80;+", target, " 10.60.0.7;"));
  EXPECT_EQ(Ask("_dns._udp." + target, RecordType::kSrv),
            absl::StrCat(target, ":53;+", target, " 10.60.0.7;"));
  EXPECT_EQ(Ask("_http._udp." + target, RecordType::kSrv), "no such name");
  EXPECT_EQ(Ask("_tcp." + target, RecordType::kSrv), "") << "a name above others is there";
  EXPECT_EQ(Ask("_sctp." + target, RecordType::kSrv), "no such name");
  // What peer finders ask for.
  EXPECT_EQ(Ask(target, RecordType::kSrv),
            absl::StrCat(target, ":80;", target, ":53;", target, ":81;+", target, " 10.60.0.7;"));
}

TEST_F(NamesTest, Behaviour60_AHostnameBehindAHeadlessServiceHasAnAddress) {
  v1::ServiceRoute* db = Add("db", "");
  AddPort("sql", v1::PROTOCOL_TCP, 1000, db);
  AddMember("10.64.0.2", "db-0", db);
  AddMember("10.64.1.2", "", db);
  EXPECT_EQ(Ask("db-0.db.default.svc.cluster.local"), "10.64.0.2;");
  EXPECT_EQ(Ask("10-64-1-2.db.default.svc.cluster.local"), "10.64.1.2;");
  EXPECT_EQ(Ask("10-64-0-2.db.default.svc.cluster.local"), "no such name");
  EXPECT_EQ(Ask("db-1.db.default.svc.cluster.local"), "no such name");
  const std::string name = "db.default.svc.cluster.local";
  EXPECT_EQ(Ask("_sql._tcp." + name, RecordType::kSrv),
            "db-0." + name + ":9000;10-64-1-2." + name + ":9000;+db-0." + name +
                " 10.64.0.2;+10-64-1-2." + name + " 10.64.1.2;");
}

TEST_F(NamesTest, Behaviour61_AnExternalNameIsAnAlias) {
  Add("out", "")->set_external_name("Www.Example.org.");
  EXPECT_EQ(Ask("out.default.svc.cluster.local"), "www.example.org;-> www.example.org");
  EXPECT_EQ(Ask("out.default.svc.cluster.local", RecordType::kCname), "www.example.org;");
  EXPECT_EQ(Ask("a.out.default.svc.cluster.local"), "no such name");
}

TEST_F(NamesTest, AliasesWithinTheClusterAreFollowed) {
  Add("web", "10.60.0.7", "there");
  Add("out", "")->set_external_name("web.there.svc.cluster.local");
  EXPECT_EQ(Ask("out.default.svc.cluster.local"),
            "web.there.svc.cluster.local;web.there.svc.cluster.local 10.60.0.7;");
  Add("dead", "")->set_external_name("none.there.svc.cluster.local");
  EXPECT_EQ(Ask("dead.default.svc.cluster.local"),
            "no such name"
            "none.there.svc.cluster.local;");
  Add("circle", "")->set_external_name("circle.default.svc.cluster.local");
  EXPECT_EQ(Ask("circle.default.svc.cluster.local").substr(0, 9), "not known");
}

TEST_F(NamesTest, OtherTypesOfANameThatIsThereAreNone) {
  Add("web", "10.60.0.7");
  EXPECT_EQ(Ask("web.default.svc.cluster.local", RecordType::kAaaa), "");
  EXPECT_EQ(Ask("cluster.local", RecordType::kSoa), "");
  EXPECT_EQ(Ask("svc.cluster.local"), "");
  EXPECT_EQ(Ask("default.svc.cluster.local"), "");
  EXPECT_EQ(Ask("nobodys.svc.cluster.local"), "no such name");
  EXPECT_EQ(Ask("web.default.svc.cluster.local", RecordType::kAny), "10.60.0.7;");
}

TEST_F(NamesTest, WhatIsNotBelowTheDomainIsNotOurs) {
  EXPECT_EQ(Ask("example.org"), "not ours");
  EXPECT_EQ(Ask("mycluster.local"), "not ours");
  EXPECT_EQ(Ask("local"), "not ours");
  EXPECT_EQ(Ask(""), "not ours");
}

TEST_F(NamesTest, AddressesLeadBackToNames) {
  Add("web", "10.60.0.7");
  AddMember("10.64.0.2", "db-0", Add("db", ""));
  EXPECT_EQ(Ask("7.0.60.10.in-addr.arpa", RecordType::kPtr), "web.default.svc.cluster.local;");
  EXPECT_EQ(Ask("2.0.64.10.in-addr.arpa", RecordType::kPtr), "db-0.db.default.svc.cluster.local;");
  EXPECT_EQ(Ask("8.0.60.10.in-addr.arpa", RecordType::kPtr), "no such name");
  EXPECT_EQ(Ask("3.0.64.10.in-addr.arpa", RecordType::kPtr), "not ours");
  EXPECT_EQ(Ask("7.0.60.10.in-addr.arpa"), "");
  EXPECT_EQ(Ask("60.10.in-addr.arpa", RecordType::kPtr), "not ours");
}

TEST_F(NamesTest, NothingIsThereTwice) {
  v1::ServiceRoute* db = Add("db", "");
  AddPort("sql", v1::PROTOCOL_TCP, 1000, db);
  // Two in the node's own network, and two of one hostname.
  AddMember("10.99.0.1", "", db);
  AddMember("10.99.0.1", "", db);
  AddMember("10.64.0.2", "db-0", db);
  AddMember("10.64.0.3", "db-0", db);
  const std::string name = "db.default.svc.cluster.local";
  EXPECT_EQ(Ask(name), "10.64.0.2;10.64.0.3;10.99.0.1;");
  EXPECT_EQ(Ask("_sql._tcp." + name, RecordType::kSrv),
            "10-99-0-1." + name + ":9000;db-0." + name + ":9000;+10-99-0-1." + name +
                " 10.99.0.1;+db-0." + name + " 10.64.0.2;+db-0." + name + " 10.64.0.3;");
}

TEST_F(NamesTest, SaysByWhichSpecificationItGoes) {
  EXPECT_EQ(Ask("dns-version.cluster.local", RecordType::kTxt), "1.1.0;");
  EXPECT_EQ(Ask("dns-version.cluster.local"), "");
}

// After a start without the controller: what has an address is known from the disk.
TEST_F(NamesTest, WhatTheDiskDidNotKnowMayBeThere) {
  table_.is_told = false;
  Add("web", "10.60.0.7");
  AddPort("sql", v1::PROTOCOL_TCP, 1000, Add("db", ""));
  EXPECT_EQ(Ask("web.default.svc.cluster.local"), "10.60.0.7;");
  EXPECT_EQ(Ask("other.default.svc.cluster.local"), "no such name yet");
  EXPECT_EQ(Ask("8.0.60.10.in-addr.arpa", RecordType::kPtr), "no such name yet");
  EXPECT_EQ(Ask("db.default.svc.cluster.local"), "not known yet");
  EXPECT_EQ(Ask("db-0.db.default.svc.cluster.local"), "not known yet");
  EXPECT_EQ(Ask("_sql._tcp.db.default.svc.cluster.local", RecordType::kSrv), "not known yet");
  // Nobody ever told anything.
  table_.service_cidr = "";
  EXPECT_EQ(Ask("other.default.svc.cluster.local"), "not known yet");
}

// By which resolvers find out that a name of the world is none of a search list's.
TEST_F(NamesTest, WhatCanBeNoNameIsNoneWhoeverWasHeard) {
  table_.is_told = false;
  table_.service_cidr = "";
  EXPECT_EQ(Ask("www.example.org.default.svc.cluster.local"), "no such name");
  EXPECT_EQ(Ask("www.example.org.cluster.local"), "no such name");
  EXPECT_EQ(Ask("a.b.c.d.e.svc.cluster.local"), "no such name");
}

}  // namespace
}  // namespace cluster::node
