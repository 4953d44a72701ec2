#include "node/probe/http_check.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace cluster::node {
namespace {

constexpr int kMostRedirects = 10;
// Of what the other side says, this much is told.
constexpr size_t kMostTold = 200;

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string Told(const std::string& body) {
  return body.empty() ? "" : absl::StrCat(": ", body.substr(0, kMostTold));
}

}  // namespace

HttpCheck::HttpCheck(HttpAction action, CheckPurpose purpose)
    : action_(std::move(action)),
      purpose_(purpose),
      at_{action_.tls, action_.host, action_.port, action_.path} {}

std::string HttpCheck::Url() const {
  return absl::StrCat(at_.tls ? "https://" : "http://", HostPortText(at_.host, at_.port), at_.path);
}

ProbeOutcome HttpCheck::Failed(const std::string& why) const {
  return {Verdict::kFailure, absl::StrCat("Get \"", Url(), "\": ", why)};
}

ProbeOutcome HttpCheck::Overdue() const {
  return Failed(stream_ == nullptr ? "no address in time" : "no answer in time");
}

std::string HttpCheck::Request() const {
  std::string host = HostPortText(at_.host, at_.port);
  std::string rest;
  bool agent = false;
  bool accept = false;
  for (const auto& [name, value] : action_.headers) {
    if (absl::EqualsIgnoreCase(name, "host")) {
      host = value;
      continue;
    }
    agent |= absl::EqualsIgnoreCase(name, "user-agent");
    accept |= absl::EqualsIgnoreCase(name, "accept");
    // An empty value takes a header away that would be sent otherwise.
    if (!value.empty()) absl::StrAppend(&rest, name, ": ", value, "\r\n");
  }
  return absl::StrCat("GET ", RequestPath(at_.path), " HTTP/1.1\r\nHost: ", host, "\r\n",
                      agent ? "" : "User-Agent: cluster-probe\r\n", accept ? "" : "Accept: */*\r\n",
                      "Connection: close\r\n", rest, "\r\n");
}

std::optional<ProbeOutcome> HttpCheck::Open(CheckContext& context) {
  const auto address = lookup_.Find(at_.host, at_.port, context);
  if (!address.has_value()) return std::nullopt;
  if (!address->ok()) return Failed(std::string(address->status().message()));
  const bool is_name = !ParseAddress(at_.host, at_.port).ok();
  absl::StatusOr<std::unique_ptr<Stream>> stream =
      Stream::Open(**address, at_.tls, is_name ? at_.host : "");
  if (!stream.ok()) return Failed(std::string(stream.status().message()));
  stream_ = *std::move(stream);
  to_send_ = Request();
  response_ = HttpResponse();
  const absl::Status watched = context.Watch(stream_->fd());
  if (!watched.ok()) return ProbeOutcome{Verdict::kUnknown, std::string(watched.message())};
  return std::nullopt;
}

std::optional<ProbeOutcome> HttpCheck::Step(CheckContext& context) {
  if (stream_ == nullptr) {
    std::optional<ProbeOutcome> failed = Open(context);
    if (failed.has_value() || stream_ == nullptr) return failed;
  }
  return Converse(context);
}

std::optional<ProbeOutcome> HttpCheck::Converse(CheckContext& context) {
  const absl::StatusOr<bool> connected = stream_->Connected();
  if (!connected.ok()) return Failed(std::string(connected.status().message()));
  if (!*connected) return std::nullopt;
  const absl::Status written = stream_->Write(&to_send_);
  std::string bytes;
  const absl::StatusOr<bool> ended = stream_->Read(&bytes);
  HttpResponse::State state = response_.Feed(bytes);
  if (state == HttpResponse::State::kMore) {
    // An answer that came before the failure counts.
    if (!ended.ok()) return Failed(std::string(ended.status().message()));
    if (*ended) {
      state = response_.FeedEnd();
    } else if (!written.ok()) {
      return Failed(std::string(written.message()));
    }
  }
  if (state == HttpResponse::State::kBad) return Failed(response_.problem());
  if (state == HttpResponse::State::kMore) return std::nullopt;
  return Judge(context);
}

std::optional<ProbeOutcome> HttpCheck::Judge(CheckContext& context) {
  const int status = response_.status();
  if (IsRedirect(status) && !response_.location().empty()) {
    HttpTarget target;
    if (!ResolveLocation(at_, response_.location(), &target)) {
      return Failed(absl::StrCat("a redirect to \"", response_.location(), "\""));
    }
    if (target.host == at_.host) return Follow(target, context);
    // Whoever answered did answer; what stands elsewhere says nothing about the container.
    return ProbeOutcome{
        Verdict::kSuccess,
        absl::StrCat("a redirect to another host is not followed: ", response_.location())};
  }
  if (purpose_ == CheckPurpose::kHook || (status >= 200 && status < 400)) {
    return ProbeOutcome{Verdict::kSuccess, ""};
  }
  return ProbeOutcome{Verdict::kFailure, absl::StrCat("HTTP probe failed with statuscode: ", status,
                                                      Told(response_.body()))};
}

std::optional<ProbeOutcome> HttpCheck::Follow(const HttpTarget& target, CheckContext& context) {
  if (++redirects_ > kMostRedirects) {
    return Failed(absl::StrCat("stopped after ", kMostRedirects, " redirects"));
  }
  at_ = target;
  stream_.reset();
  lookup_ = NameLookup();
  return Step(context);
}

}  // namespace cluster::node
