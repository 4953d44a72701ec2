#include "node/probe/http_response.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cluster::node {
namespace {

constexpr size_t kMostHeaderBytes = 64 << 10;

bool ParseHex(absl::string_view text, uint64_t* value) {
  if (text.empty() || text.size() > 15) return false;
  *value = 0;
  for (const char c : text) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    *value = *value * 16 + static_cast<uint64_t>(digit);
  }
  return true;
}

}  // namespace

HttpResponse::State HttpResponse::Bad(std::string problem) {
  problem_ = std::move(problem);
  return State::kBad;
}

bool HttpResponse::TakeLine(std::string* line) {
  const size_t end = buffer_.find('\n');
  if (end == std::string::npos) return false;
  *line = buffer_.substr(0, end);
  header_bytes_ += end + 1;
  buffer_.erase(0, end + 1);
  if (!line->empty() && line->back() == '\r') line->pop_back();
  return true;
}

bool HttpResponse::TakeStatus(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "HTTP/1.")) return false;
  if (line.size() < 5 || !absl::ascii_isdigit(static_cast<unsigned char>(line[0])) ||
      line[1] != ' ' || (line.size() > 5 && line[5] != ' ')) {
    return false;
  }
  return absl::SimpleAtoi(line.substr(2, 3), &status_) && status_ >= 100;
}

void HttpResponse::TakeHeader(absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> field =
      absl::StrSplit(line, absl::MaxSplits(':', 1));
  const absl::string_view value = absl::StripAsciiWhitespace(field.second);
  if (absl::EqualsIgnoreCase(field.first, "location")) location_ = std::string(value);
  if (absl::EqualsIgnoreCase(field.first, "transfer-encoding")) {
    chunked_ = absl::EndsWithIgnoreCase(value, "chunked");
  }
  if (absl::EqualsIgnoreCase(field.first, "content-length")) {
    has_length_ = absl::SimpleAtoi(value, &left_);
  }
}

void HttpResponse::BeginBody() {
  if (status_ < 200) {
    // An announcement; the response itself comes after it.
    part_ = Part::kStatus;
    chunked_ = has_length_ = false;
  } else if (status_ == 204 || status_ == 304) {
    part_ = Part::kEnd;
  } else if (chunked_) {
    part_ = Part::kChunkSize;
  } else {
    part_ = has_length_ ? Part::kLengthBody : Part::kEndlessBody;
  }
}

bool HttpResponse::TakeChunkSize(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line.substr(0, line.find(';')));
  if (!ParseHex(line, &left_)) return false;
  part_ = left_ == 0 ? Part::kTrailers : Part::kChunk;
  return true;
}

bool HttpResponse::TakeBody() {
  const size_t there = static_cast<size_t>(std::min<uint64_t>(left_, buffer_.size()));
  body_.append(buffer_, 0, std::min(there, kMostBody - body_.size()));
  buffer_.erase(0, there);
  left_ -= there;
  if (body_.size() == kMostBody) part_ = Part::kEnd;
  return left_ == 0;
}

HttpResponse::State HttpResponse::Advance() {
  std::string line;
  for (;;) {
    switch (part_) {
      case Part::kEnd:
        return State::kDone;
      case Part::kLengthBody:
        if (!TakeBody() && part_ != Part::kEnd) return State::kMore;
        part_ = Part::kEnd;
        continue;
      case Part::kEndlessBody:
        left_ = buffer_.size();
        TakeBody();
        if (part_ != Part::kEnd) return State::kMore;
        continue;
      case Part::kChunk:
        if (!TakeBody() && part_ != Part::kEnd) return State::kMore;
        if (part_ != Part::kEnd) part_ = Part::kChunkEnd;
        continue;
      case Part::kStatus:
      case Part::kHeaders:
      case Part::kChunkSize:
      case Part::kChunkEnd:
      case Part::kTrailers:
        break;
    }
    if (!TakeLine(&line)) {
      return header_bytes_ + buffer_.size() > kMostHeaderBytes
                 ? Bad("the response's headers are too long")
                 : State::kMore;
    }
    if (header_bytes_ > kMostHeaderBytes) return Bad("the response's headers are too long");
    if (part_ == Part::kStatus) {
      if (!TakeStatus(line)) return Bad("the answer is no HTTP response");
      part_ = Part::kHeaders;
    } else if (part_ == Part::kHeaders) {
      line.empty() ? BeginBody() : TakeHeader(line);
    } else if (part_ == Part::kChunkSize) {
      if (!TakeChunkSize(line)) return Bad("the response's body is malformed");
    } else if (part_ == Part::kChunkEnd) {
      if (!line.empty()) return Bad("the response's body is malformed");
      part_ = Part::kChunkSize;
    } else if (line.empty()) {
      part_ = Part::kEnd;
    }
  }
}

HttpResponse::State HttpResponse::Feed(absl::string_view bytes) {
  if (!problem_.empty()) return State::kBad;
  buffer_.append(bytes.data(), bytes.size());
  return Advance();
}

HttpResponse::State HttpResponse::FeedEnd() {
  if (!problem_.empty()) return State::kBad;
  if (part_ == Part::kEnd || part_ == Part::kEndlessBody) {
    part_ = Part::kEnd;
    return State::kDone;
  }
  return Bad(status_ == 0 && buffer_.empty() ? "the connection was closed without an answer"
                                             : "the connection was closed within the response");
}

bool ResolveLocation(const HttpTarget& from, absl::string_view location, HttpTarget* target) {
  *target = from;
  location = location.substr(0, location.find('#'));
  if (absl::StartsWithIgnoreCase(location, "http://") ||
      absl::StartsWithIgnoreCase(location, "https://")) {
    target->tls = (location[4] | 0x20) == 's';
    location.remove_prefix(location.find(':') + 1);
  } else if (absl::StrContains(location.substr(0, location.find_first_of("/?")), ":")) {
    return false;  // another scheme
  }
  if (absl::ConsumePrefix(&location, "//")) {
    const size_t end = std::min(location.find_first_of("/?"), location.size());
    absl::string_view host = location.substr(0, end);
    location.remove_prefix(end);
    host.remove_prefix(host.rfind('@') == absl::string_view::npos ? 0 : host.rfind('@') + 1);
    target->port = target->tls ? 443 : 80;
    const size_t colon = host.rfind(':');
    uint32_t port = 0;
    if (colon != absl::string_view::npos && host.find(']', colon) == absl::string_view::npos) {
      if (!absl::SimpleAtoi(host.substr(colon + 1), &port) || port == 0 || port > 65535) {
        return false;
      }
      target->port = static_cast<uint16_t>(port);
      host = host.substr(0, colon);
    }
    if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
    if (host.empty()) return false;
    target->host = std::string(host);
    target->path = "/";
  }
  if (location.empty()) return true;
  if (location[0] == '/') {
    target->path = std::string(location);
  } else if (location[0] == '?') {
    target->path = absl::StrCat(target->path.substr(0, target->path.find('?')), location);
  } else {
    const std::string path = target->path.substr(0, target->path.find('?'));
    target->path = absl::StrCat(path.substr(0, path.rfind('/') + 1), location);
  }
  return true;
}

std::string RequestPath(absl::string_view path) {
  std::string encoded;
  for (const char c : path.substr(0, path.find('#'))) {
    if (absl::ascii_isgraph(static_cast<unsigned char>(c))) {
      encoded.push_back(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned>(static_cast<uint8_t>(c)));
    }
  }
  return encoded;
}

}  // namespace cluster::node
