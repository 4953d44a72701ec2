#include "node/dns/packet.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <ldns/ldns.h>

namespace cluster::node {
namespace {

using testing::HasSubstr;
using testing::Not;

// As dig prints it.
std::string Text(const std::string& message) {
  ldns_pkt* packet = nullptr;
  const auto* bytes = reinterpret_cast<const uint8_t*>(message.data());
  if (ldns_wire2pkt(&packet, bytes, message.size()) != LDNS_STATUS_OK) return "no message";
  const std::unique_ptr<char, decltype(&free)> text(ldns_pkt2str(packet), &free);
  ldns_pkt_free(packet);
  return text.get();
}

NameQuery Query(const std::string& name, RecordType type = RecordType::kA) {
  return ParseQuery(ComposeQuery(name, type)).value().query;
}

NameRecord Address(const std::string& address) {
  NameRecord record;
  record.address = ParseIpv4(address).value();
  return record;
}

TEST(ParseQuery, SaysWhatIsAskedFor) {
  std::string message = ComposeQuery("Web.Default.svc.cluster.local", RecordType::kSrv);
  SetId(0x1234, &message);
  const ReadQuery read = ParseQuery(message).value();
  EXPECT_EQ(read.code, ResponseCode::kNoError);
  EXPECT_EQ(read.query.id, 0x1234);
  EXPECT_TRUE(read.query.recursion_desired);
  EXPECT_TRUE(read.query.has_edns);
  EXPECT_EQ(read.query.datagram_bytes, 1232u);
  EXPECT_EQ(read.query.name, "web.default.svc.cluster.local");
  EXPECT_EQ(read.query.owner, "Web.Default.svc.cluster.local.");
  EXPECT_EQ(read.query.type, RecordType::kSrv);
}

// Where each record refers to a chain of references, a message of 64 KiB takes 80 ms to read.
TEST(ParseQuery, ReadsNothingButQuestions) {
  std::string query = ComposeQuery("a", RecordType::kA);
  std::string answers = query;
  answers[7] = 1;
  EXPECT_EQ(ParseQuery(answers)->code, ResponseCode::kFormatError);
  EXPECT_EQ(ParseQuery(query + std::string(2000, 'x'))->code, ResponseCode::kFormatError);
}

TEST(ParseQuery, DoesNotAnswerAnswersAndScraps) {
  EXPECT_FALSE(ParseQuery("").has_value());
  EXPECT_FALSE(ParseQuery("12345678901").has_value());
  std::string answer = ComposeQuery("a", RecordType::kA);
  answer[2] = static_cast<char>(0x80);
  EXPECT_FALSE(ParseQuery(answer).has_value());
}

TEST(ParseQuery, RefusesWhatIsNoQueryForANameOfTheInternet) {
  const std::string query = ComposeQuery("a", RecordType::kA);
  EXPECT_EQ(ParseQuery(query.substr(0, query.size() - 1))->code, ResponseCode::kFormatError);
  std::string update = query;
  update[2] = static_cast<char>(5 << 3);
  EXPECT_EQ(ParseQuery(update)->code, ResponseCode::kNotImplemented);
  std::string none = query.substr(0, kHeaderBytes);
  none[5] = 0;
  none[11] = 0;
  EXPECT_EQ(ParseQuery(none)->code, ResponseCode::kFormatError);
  std::string chaos = query;
  chaos[kHeaderBytes + 6] = 3;  // after a name of one letter and its type
  EXPECT_EQ(ParseQuery(chaos)->code, ResponseCode::kRefused);
  EXPECT_EQ(Refuse(query, ResponseCode::kFormatError).size(), kHeaderBytes);
}

TEST(ComposeAnswer, HasTheNameAsItWasWritten) {
  NameAnswer answer;
  answer.records = {Address("10.60.0.7")};
  const NameQuery query = Query("wEb.default.svc.cluster.local");
  const std::string text = Text(ComposeAnswer(query, "cluster.local", answer, 512));
  EXPECT_THAT(text, HasSubstr("wEb.default.svc.cluster.local.\t5\tIN\tA\t10.60.0.7"));
  EXPECT_THAT(text, HasSubstr("rcode: NOERROR"));
  EXPECT_THAT(text, HasSubstr("flags: qr aa rd ra"));
}

TEST(ComposeAnswer, SaysForHowLongNothingIsThere) {
  NameAnswer answer;
  const NameQuery query = Query("web.default.svc.cluster.local", RecordType::kAaaa);
  EXPECT_THAT(Text(ComposeAnswer(query, "cluster.local", answer, 512)), HasSubstr("IN\tSOA"));
  answer.code = ResponseCode::kNoSuchName;
  EXPECT_THAT(Text(ComposeAnswer(query, "cluster.local", answer, 512)),
              testing::AllOf(HasSubstr("rcode: NXDOMAIN"), HasSubstr("86400 5")));
  answer.code = ResponseCode::kServerFailure;
  EXPECT_THAT(Text(ComposeAnswer(query, "cluster.local", answer, 512)),
              testing::AllOf(HasSubstr("rcode: SERVFAIL"), Not(HasSubstr("SOA"))));
}

TEST(ComposeAnswer, OfWhatIsBelowAnotherNameItIsNoAuthority) {
  NameAnswer answer;
  answer.code = ResponseCode::kNoSuchName;
  const NameQuery query = Query("8.0.60.10.in-addr.arpa", RecordType::kPtr);
  EXPECT_THAT(Text(ComposeAnswer(query, "cluster.local", answer, 512)), Not(HasSubstr("SOA")));
}

TEST(ComposeAnswer, WritesServersPointersTextsAndAliases) {
  NameAnswer answer;
  NameRecord server;
  server.type = RecordType::kSrv;
  server.target = "web.default.svc.cluster.local";
  server.port = 80;
  NameRecord pointer;
  pointer.type = RecordType::kPtr;
  pointer.target = "web.default.svc.cluster.local";
  NameRecord alias;
  alias.type = RecordType::kCname;
  alias.target = "example.org";
  NameRecord text_record;
  text_record.type = RecordType::kTxt;
  text_record.target = "1.1.0";
  answer.records = {server, pointer, text_record, alias};
  answer.additional = {Address("10.60.0.7")};
  answer.additional[0].owner = "web.default.svc.cluster.local";
  const std::string text = Text(ComposeAnswer(Query("x"), "cluster.local", answer, 512));
  EXPECT_THAT(text, HasSubstr("SRV\t0 100 80 web.default.svc.cluster.local."));
  EXPECT_THAT(text, HasSubstr("PTR\tweb.default.svc.cluster.local."));
  EXPECT_THAT(text, HasSubstr("CNAME\texample.org."));
  EXPECT_THAT(text, HasSubstr("TXT\t\"1.1.0\""));
  EXPECT_THAT(text, HasSubstr("ADDITIONAL SECTION:\nweb.default"));
}

TEST(ComposeAnswer, IsTruncatedWhereItDoesNotFit) {
  NameAnswer answer;
  for (int i = 0; i < 100; ++i) answer.records.push_back(Address(absl::StrCat("10.64.0.", i)));
  const NameQuery query = Query("db.default.svc.cluster.local");
  const std::string cut = ComposeAnswer(query, "cluster.local", answer, 512);
  EXPECT_TRUE(IsTruncated(cut));
  EXPECT_LE(cut.size(), 512u);
  EXPECT_THAT(Text(cut), HasSubstr("ANSWER: 28,")) << "those who have no TCP take what is there";
  const std::string whole = ComposeAnswer(query, "cluster.local", answer, 65535);
  EXPECT_FALSE(IsTruncated(whole));
  EXPECT_THAT(Text(whole), HasSubstr("ANSWER: 100"));
  // Additional records are the first to go, and nobody misses them: they are no reason to ask
  // again.
  answer.additional = answer.records;
  answer.records.resize(10);
  for (NameRecord& record : answer.additional) record.owner = "db";
  const std::string without = ComposeAnswer(query, "cluster.local", answer, 512);
  EXPECT_FALSE(IsTruncated(without));
  EXPECT_THAT(Text(without), HasSubstr("ANSWER: 10,"));
  EXPECT_LE(without.size(), 512u);
}

TEST(ComposeAnswer, TakesOverWhatAnotherServerFound) {
  NameAnswer others;
  others.code = ResponseCode::kNoSuchName;
  others.records = {Address("192.0.2.1")};
  const std::string found = ComposeAnswer(Query("example.org"), "org", others, 512);
  NameAnswer answer;
  NameRecord alias;
  alias.type = RecordType::kCname;
  alias.target = "example.org";
  answer.records = {alias};
  const NameQuery query = Query("out.default.svc.cluster.local");
  const std::string text = Text(ComposeAnswer(query, "cluster.local", answer, 512, found));
  EXPECT_THAT(text, HasSubstr("out.default.svc.cluster.local.\t5\tIN\tCNAME\texample.org."));
  EXPECT_THAT(text, HasSubstr("example.org.\t5\tIN\tA\t192.0.2.1"));
  EXPECT_THAT(text, HasSubstr("rcode: NXDOMAIN"));
  EXPECT_THAT(Text(ComposeAnswer(query, "cluster.local", answer, 512, "scrap")),
              HasSubstr("rcode: SERVFAIL"));
}

TEST(Answers, OnlyWhatWasAskedFor) {
  std::string query = ComposeQuery("example.org", RecordType::kA);
  SetId(7, &query);
  std::string answer = ComposeAnswer(ParseQuery(query)->query, "org", NameAnswer(), 512);
  EXPECT_TRUE(Answers(answer, query));
  EXPECT_FALSE(Answers(query, query)) << "no answer";
  EXPECT_FALSE(Answers(answer.substr(0, 20), query));
  EXPECT_FALSE(Answers(ComposeAnswer(Query("example.com"), "com", NameAnswer(), 512), query));
  SetId(8, &answer);
  EXPECT_FALSE(Answers(answer, query));
  EXPECT_TRUE(Answers(Refuse(query, ResponseCode::kRefused), query));
}

}  // namespace
}  // namespace cluster::node
