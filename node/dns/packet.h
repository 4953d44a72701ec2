// DNS messages (RFC 1035, EDNS of RFC 6891) as the cluster's name server reads and writes them, by
// ldns. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

#include "node/dns/names.h"

namespace cluster::node {

// What every name server and resolver takes over UDP, and what those take that say nothing.
inline constexpr size_t kDatagramBytes = 1232;
inline constexpr size_t kPlainDatagramBytes = 512;
inline constexpr size_t kHeaderBytes = 12;
// Of the length before each message on a TCP connection.
inline constexpr size_t kLengthBytes = 2;

struct NameQuery {
  uint16_t id = 0;
  bool recursion_desired = false;
  bool has_edns = false;
  size_t datagram_bytes = kPlainDatagramBytes;  // what the asker takes over UDP
  std::string name;                             // in small letters, without the last dot
  RecordType type = RecordType::kA;             // or any other number
  std::string owner;                            // the name as it was written
};

// Nothing: no query (an answer, or not even a header), which nobody answers. `code` is another than
// kNoError where it can only be refused: that, too, where it has other records than EDNS', or is
// longer than any question for one name.
struct ReadQuery {
  NameQuery query;
  ResponseCode code = ResponseCode::kNoError;
};
std::optional<ReadQuery> ParseQuery(absl::string_view message);

// The answer as a message of at most `limit` bytes: of what does not fit some additional records
// are left out, or else records, and it is marked as truncated. `elsewhere` is the answer of
// another name server, whose records follow `answer`'s; empty: none.
std::string ComposeAnswer(const NameQuery& query, const std::string& domain,
                          const NameAnswer& answer, size_t limit, absl::string_view elsewhere = "");

// The header alone, with this code; `message` is at least a header.
std::string Refuse(absl::string_view message, ResponseCode code);

// A query of our own.
std::string ComposeQuery(const std::string& name, RecordType type);

uint16_t IdOf(absl::string_view message);
void SetId(uint16_t id, std::string* message);
bool IsTruncated(absl::string_view message);
// It begins as an answer to `query`, which is one: same id, same question.
bool Answers(absl::string_view message, absl::string_view query);

}  // namespace cluster::node
