#include "node/dns/packet.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include <ldns/ldns.h>

namespace cluster::node {
namespace {

// Seconds that others may keep what we say: a pod's address is old soon.
constexpr uint32_t kTtl = 5;
constexpr uint8_t kResponseBit = 0x80;   // of the third byte
constexpr uint8_t kTruncatedBit = 0x02;  // of the third byte

struct Free {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
  void operator()(ldns_rr* record) const { ldns_rr_free(record); }
  void operator()(char* text) const { std::free(text); }
  void operator()(uint8_t* bytes) const { std::free(bytes); }
};
using Packet = std::unique_ptr<ldns_pkt, Free>;
using Rr = std::unique_ptr<ldns_rr, Free>;

Packet Parse(absl::string_view message) {
  ldns_pkt* packet = nullptr;
  const auto* bytes = reinterpret_cast<const uint8_t*>(message.data());
  if (ldns_wire2pkt(&packet, bytes, message.size()) != LDNS_STATUS_OK) return nullptr;
  return Packet(packet);
}

std::string Text(const ldns_rdf* name) {
  const std::unique_ptr<char, Free> text(ldns_rdf2str(name));
  return text == nullptr ? "" : text.get();
}

// nullptr: no name.
ldns_rdf* DnameOf(const std::string& name) {
  return ldns_dname_new_frm_str(absl::StrCat(absl::StripSuffix(name, "."), ".").c_str());
}

ldns_rdf* Number16(uint16_t value) { return ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, value); }

ldns_rdf* Number32(ldns_rdf_type type, uint32_t value) {
  return ldns_native2rdf_int32(type, value);
}

// Without data. nullptr: the owner is no name.
Rr NewRecord(const std::string& owner, RecordType type) {
  Rr record(ldns_rr_new());
  ldns_rdf* const name = DnameOf(owner);
  if (record == nullptr || name == nullptr) {
    ldns_rdf_deep_free(name);
    return nullptr;
  }
  ldns_rr_set_owner(record.get(), name);
  ldns_rr_set_class(record.get(), LDNS_RR_CLASS_IN);
  ldns_rr_set_type(record.get(), static_cast<ldns_rr_type>(type));
  ldns_rr_set_ttl(record.get(), kTtl);
  return record;
}

// False: the part is none, and the record is not whole.
bool Append(ldns_rdf* part, ldns_rr* record) {
  return part != nullptr && ldns_rr_push_rdf(record, part);
}

bool AppendData(const NameRecord& from, ldns_rr* record) {
  if (from.type == RecordType::kTxt) {
    return Append(ldns_rdf_new_frm_str(LDNS_RDF_TYPE_STR, from.target.c_str()), record);
  }
  if (from.type == RecordType::kA) {
    const uint32_t address = htonl(from.address.value);
    return Append(ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, sizeof address, &address), record);
  }
  // Priority and weight: all are alike.
  const bool is_server = from.type == RecordType::kSrv;
  return (!is_server || (Append(Number16(0), record) && Append(Number16(100), record) &&
                         Append(Number16(from.port), record))) &&
         Append(DnameOf(from.target), record);
}

void Push(const NameRecord& from, const std::string& owner, ldns_pkt_section section,
          ldns_pkt* packet) {
  Rr record = NewRecord(from.owner.empty() ? owner : from.owner, from.type);
  if (record == nullptr || !AppendData(from, record.get())) return;
  ldns_pkt_push_rr(packet, section, record.release());
}

// By which others know for how long nothing is there (RFC 2308).
void PushAuthority(const std::string& domain, ldns_pkt* packet) {
  Rr record = NewRecord(domain, RecordType::kSoa);
  if (record == nullptr || !Append(DnameOf("ns.dns." + domain), record.get()) ||
      !Append(DnameOf("hostmaster." + domain), record.get()) ||
      !Append(Number32(LDNS_RDF_TYPE_INT32, 1), record.get())) {
    return;
  }
  for (const uint32_t seconds : {7200U, 1800U, 86400U, kTtl}) {
    if (!Append(Number32(LDNS_RDF_TYPE_PERIOD, seconds), record.get())) return;
  }
  ldns_pkt_push_rr(packet, LDNS_SECTION_AUTHORITY, record.release());
}

Packet NewAnswer(const NameQuery& query, ResponseCode code) {
  Packet packet(ldns_pkt_new());
  if (packet == nullptr) return packet;
  ldns_pkt_set_id(packet.get(), query.id);
  ldns_pkt_set_qr(packet.get(), true);
  ldns_pkt_set_aa(packet.get(), true);
  ldns_pkt_set_rd(packet.get(), query.recursion_desired);
  ldns_pkt_set_ra(packet.get(), true);
  ldns_pkt_set_rcode(packet.get(), static_cast<uint8_t>(code));
  if (query.has_edns) ldns_pkt_set_edns_udp_size(packet.get(), kDatagramBytes);
  Rr question(ldns_rr_new());
  ldns_rdf* const name = DnameOf(query.owner);
  if (question == nullptr || name == nullptr) return packet;
  ldns_rr_set_question(question.get(), true);
  ldns_rr_set_owner(question.get(), name);
  ldns_rr_set_class(question.get(), LDNS_RR_CLASS_IN);
  ldns_rr_set_type(question.get(), static_cast<ldns_rr_type>(query.type));
  ldns_pkt_push_rr(packet.get(), LDNS_SECTION_QUESTION, question.release());
  return packet;
}

std::string Wire(const ldns_pkt* packet) {
  uint8_t* bytes = nullptr;
  size_t size = 0;
  if (packet == nullptr || ldns_pkt2wire(&bytes, packet, &size) != LDNS_STATUS_OK) return "";
  const std::unique_ptr<uint8_t, Free> owner(bytes);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

// The records that another server found, and how it went.
void PushElsewhere(absl::string_view message, ldns_pkt* packet) {
  const Packet other = Parse(message);
  if (other == nullptr) {
    ldns_pkt_set_rcode(packet, static_cast<uint8_t>(ResponseCode::kServerFailure));
    return;
  }
  ldns_pkt_set_rcode(packet, static_cast<uint8_t>(ldns_pkt_get_rcode(other.get())));
  const ldns_rr_list* answers = ldns_pkt_answer(other.get());
  for (size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
    ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, ldns_rr_clone(ldns_rr_list_rr(answers, i)));
  }
}

// At most, with a name that is the question's as a reference to it.
size_t SizeOf(const NameRecord& record) {
  constexpr size_t kFixed = 10;  // type, class, TTL, length
  const size_t owner = record.owner.empty() ? 2 : record.owner.size() + 2;
  const size_t data = record.type == RecordType::kA ? 4 : record.target.size() + 2;
  return owner + kFixed + data + (record.type == RecordType::kSrv ? 6 : 0);
}

// What is left of a message.
class Room {
 public:
  explicit Room(size_t bytes) : bytes_(bytes) {}
  // False: it is too small for that.
  bool Take(size_t bytes) {
    if (bytes > bytes_) return false;
    bytes_ -= bytes;
    return true;
  }

 private:
  size_t bytes_;
};

// The records of another server, all or none, come on top of `limit`.
std::string Compose(const NameQuery& query, const std::string& domain, const NameAnswer& answer,
                    absl::string_view elsewhere, size_t limit, bool truncated) {
  const Packet packet = NewAnswer(query, answer.code);
  if (packet == nullptr) return "";
  Room room(limit);
  // Header, question, EDNS.
  room.Take(kHeaderBytes + query.owner.size() + 5 + (query.has_edns ? 11 : 0));
  for (const NameRecord& record : answer.records) {
    truncated = truncated || !room.Take(SizeOf(record));
    if (truncated) break;
    Push(record, query.owner, LDNS_SECTION_ANSWER, packet.get());
  }
  if (!elsewhere.empty()) PushElsewhere(elsewhere, packet.get());
  const bool is_below = absl::EndsWith(query.name, domain);
  if (answer.records.empty() && answer.code != ResponseCode::kServerFailure && is_below &&
      room.Take(3 * domain.size() + 64)) {
    PushAuthority(domain, packet.get());
  }
  for (const NameRecord& record : answer.additional) {
    if (truncated || !room.Take(SizeOf(record))) break;
    Push(record, query.owner, LDNS_SECTION_ADDITIONAL, packet.get());
  }
  ldns_pkt_set_tc(packet.get(), truncated);
  return Wire(packet.get());
}

uint16_t Read16(absl::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 |
                               static_cast<uint8_t>(bytes[at + 1]));
}

// Name, type and class of the first question, where the name is written out; empty: it is not.
absl::string_view QuestionOf(absl::string_view message) {
  constexpr size_t kLongestLabel = 63;
  constexpr size_t kTypeAndClass = 4;
  size_t at = kHeaderBytes;
  while (at < message.size() && message[at] != 0) {
    const size_t length = static_cast<uint8_t>(message[at]);
    if (length > kLongestLabel) return "";
    at += 1 + length;
  }
  at += 1 + kTypeAndClass;
  return at <= message.size() ? message.substr(kHeaderBytes, at - kHeaderBytes) : "";
}

// A question for one name, perhaps with EDNS and a signature. What else there may be costs to read.
bool IsPlain(absl::string_view message) {
  constexpr size_t kMostAdditional = 2;
  return message.size() <= kDatagramBytes && Read16(message, 4) == 1 && Read16(message, 6) == 0 &&
         Read16(message, 8) == 0 && Read16(message, 10) <= kMostAdditional;
}

}  // namespace

std::optional<ReadQuery> ParseQuery(absl::string_view message) {
  if (message.size() < kHeaderBytes) return std::nullopt;
  if ((static_cast<uint8_t>(message[2]) & kResponseBit) != 0) return std::nullopt;
  ReadQuery read;
  read.query.id = IdOf(message);
  constexpr uint8_t kOpcode = 0x78;  // of the third byte
  if ((static_cast<uint8_t>(message[2]) & kOpcode) != 0) {
    read.code = ResponseCode::kNotImplemented;
    return read;
  }
  const Packet packet = IsPlain(message) ? Parse(message) : nullptr;
  if (packet == nullptr || ldns_rr_list_rr_count(ldns_pkt_question(packet.get())) != 1) {
    read.code = ResponseCode::kFormatError;
    return read;
  }
  const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(packet.get()), 0);
  if (ldns_rr_get_class(question) != LDNS_RR_CLASS_IN) {
    read.code = ResponseCode::kRefused;
    return read;
  }
  NameQuery& query = read.query;
  query.recursion_desired = ldns_pkt_rd(packet.get());
  query.owner = Text(ldns_rr_owner(question));
  query.name = absl::AsciiStrToLower(absl::StripSuffix(query.owner, "."));
  query.type = static_cast<RecordType>(ldns_rr_get_type(question));
  query.has_edns = ldns_pkt_edns(packet.get());
  if (query.has_edns) {
    query.datagram_bytes = std::clamp<size_t>(ldns_pkt_edns_udp_size(packet.get()),
                                              kPlainDatagramBytes, kDatagramBytes);
  }
  return read;
}

std::string ComposeAnswer(const NameQuery& query, const std::string& domain,
                          const NameAnswer& answer, size_t limit, absl::string_view elsewhere) {
  std::string whole = Compose(query, domain, answer, elsewhere, limit, false);
  if (whole.size() <= limit) return whole;
  // With the other's records: whoever asks again by TCP gets them.
  return Compose(query, domain, answer, "", limit, true);
}

std::string Refuse(absl::string_view message, ResponseCode code) {
  std::string header(message.substr(0, kHeaderBytes));
  header[2] = static_cast<char>(static_cast<uint8_t>(header[2]) | kResponseBit);
  header[3] = static_cast<char>(code);
  // Of no records.
  for (size_t i = 4; i < kHeaderBytes; ++i) header[i] = 0;
  return header;
}

std::string ComposeQuery(const std::string& name, RecordType type) {
  ldns_rdf* const owner = DnameOf(name);
  if (owner == nullptr) return "";
  // Takes the name.
  const Packet packet(
      ldns_pkt_query_new(owner, static_cast<ldns_rr_type>(type), LDNS_RR_CLASS_IN, LDNS_RD));
  if (packet != nullptr) ldns_pkt_set_edns_udp_size(packet.get(), kDatagramBytes);
  return Wire(packet.get());
}

uint16_t IdOf(absl::string_view message) { return Read16(message, 0); }

void SetId(uint16_t id, std::string* message) {
  (*message)[0] = static_cast<char>(id >> 8);
  (*message)[1] = static_cast<char>(id & 0xff);
}

bool IsTruncated(absl::string_view message) {
  return (static_cast<uint8_t>(message[2]) & kTruncatedBit) != 0;
}

bool Answers(absl::string_view message, absl::string_view query) {
  if (message.size() < kHeaderBytes || IdOf(message) != IdOf(query) ||
      (static_cast<uint8_t>(message[2]) & kResponseBit) == 0) {
    return false;
  }
  const uint16_t questions = Read16(message, 4);
  // A refusal may leave it out.
  if (questions == 0) return (message[3] & 0x0f) != 0;
  const absl::string_view question = QuestionOf(query);
  return questions == 1 && !question.empty() &&
         absl::EqualsIgnoreCase(QuestionOf(message), question);
}

}  // namespace cluster::node
