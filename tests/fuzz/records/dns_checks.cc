#include "tests/fuzz/records/dns_checks.h"

#include <memory>

#include "absl/strings/str_cat.h"

#include "node/dns/names.h"
#include "node/dns/packet.h"

namespace cluster::node {
namespace {

constexpr char kDomain[] = "cluster.local";

Names SomeNames() {
  auto table = std::make_shared<KnownServices>();
  table->is_told = true;
  table->service_cidr = "10.60.0.0/16";
  v1::ServiceRoute web, db, out;
  for (v1::ServiceRoute* route : {&web, &db, &out}) route->set_namespace_("default");
  web.set_name("web");
  web.set_cluster_ip("10.60.0.7");
  db.set_name("db");
  v1::ServicePortRoute* sql = db.add_ports();
  sql->set_name("sql");
  sql->set_port(5432);
  for (int i = 0; i < 60; ++i) {
    v1::Backend* member = db.add_members();
    member->set_address(absl::StrCat("10.64.0.", i));
    *sql->add_backends() = *member;
  }
  out.set_name("out");
  out.set_external_name("example.org");
  for (const v1::ServiceRoute& route : {web, db, out}) {
    table->all["default/" + route.name()] = std::make_shared<const v1::ServiceRoute>(route);
  }
  return Names(std::move(table), kDomain);
}

std::string FindAnswerFlaw(const NameQuery& query, absl::string_view message, size_t limit,
                           absl::string_view elsewhere) {
  const std::string answer =
      ComposeAnswer(query, kDomain, SomeNames().Find(query.name, query.type), limit, elsewhere);
  if (answer.size() > limit) return absl::StrCat(answer.size(), " bytes of ", limit);
  if (!Answers(answer, message)) return "what is answered is not what was asked for";
  return "";
}

}  // namespace

std::string FindDnsFlaw(absl::string_view message) {
  const std::string own = ComposeQuery("out.default.svc.cluster.local", RecordType::kA);
  (void)Answers(message, own);
  std::string flaw = FindAnswerFlaw(ParseQuery(own)->query, own, 0xffff, message);
  if (!flaw.empty()) return "as another's answer: " + flaw;
  const std::optional<ReadQuery> read = ParseQuery(message);
  if (!read.has_value()) return "";
  if (read->code != ResponseCode::kNoError) {
    return Refuse(message, read->code).size() == kHeaderBytes ? "" : "a refusal is a header";
  }
  for (const size_t limit : {read->query.datagram_bytes, size_t{0xffff}}) {
    flaw = FindAnswerFlaw(read->query, message, limit, "");
    if (!flaw.empty()) return flaw;
  }
  return "";
}

}  // namespace cluster::node
