// Reads one HTTP/1.1 response as its bytes come in (RFC 9112). Pure; what comes in is written by
// whoever is probed and may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace cluster::node {

class HttpResponse {
 public:
  enum class State {
    kMore,  // not all of it is here
    kDone,  // all of it, or as much of the body as is ever looked at
    kBad,   // no HTTP response: see problem()
  };
  // Body bytes that are kept; a longer body counts as read.
  static constexpr size_t kMostBody = 10 << 10;

  State Feed(absl::string_view bytes);
  // The other side has closed: the end of a body without a length, else of an unfinished response.
  State FeedEnd();

  int status() const { return status_; }
  const std::string& location() const { return location_; }  // "" without one
  const std::string& body() const { return body_; }
  const std::string& problem() const { return problem_; }

 private:
  enum class Part {
    kStatus,
    kHeaders,
    kLengthBody,
    kEndlessBody,
    kChunkSize,
    kChunk,
    kChunkEnd,
    kTrailers,
    kEnd
  };

  State Bad(std::string problem);
  // One line without its end; false while it is not all here.
  bool TakeLine(std::string* line);
  State Advance();
  bool TakeStatus(absl::string_view line);
  void TakeHeader(absl::string_view line);
  // After the last header: what follows.
  void BeginBody();
  bool TakeChunkSize(absl::string_view line);
  // Moves body bytes, at most `left_`; true when all of them were there.
  bool TakeBody();

  Part part_ = Part::kStatus;
  std::string buffer_;
  size_t header_bytes_ = 0;
  int status_ = 0;
  std::string location_;
  bool chunked_ = false;
  bool has_length_ = false;
  uint64_t left_ = 0;
  std::string body_;
  std::string problem_;
};

// Where a redirect leads.
struct HttpTarget {
  bool tls = false;
  std::string host;
  uint16_t port = 0;
  std::string path;
};

// The place that `location` means for somebody who is at `from`; false when it is no place that
// HTTP leads to.
bool ResolveLocation(const HttpTarget& from, absl::string_view location, HttpTarget* target);

// A path as it may stand in a request: what is no visible ASCII is percent-encoded.
std::string RequestPath(absl::string_view path);

}  // namespace cluster::node
