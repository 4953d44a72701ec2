#include "node/probe/tcp_check.h"

#include "absl/strings/str_cat.h"

namespace cluster::node {

ProbeOutcome TcpCheck::Failed(const absl::Status& why) const {
  return {Verdict::kFailure,
          absl::StrCat(HostPortText(action_.host, action_.port), ": ", why.message())};
}

std::optional<ProbeOutcome> TcpCheck::Step(CheckContext& context) {
  if (stream_ == nullptr) {
    const auto address = lookup_.Find(action_.host, action_.port, context);
    if (!address.has_value()) return std::nullopt;
    if (!address->ok()) return Failed(address->status());
    absl::StatusOr<std::unique_ptr<Stream>> stream = Stream::Open(**address, false, "");
    if (!stream.ok()) return Failed(stream.status());
    stream_ = *std::move(stream);
    const absl::Status watched = context.Watch(stream_->fd());
    if (!watched.ok()) return ProbeOutcome{Verdict::kUnknown, std::string(watched.message())};
  }
  const absl::StatusOr<bool> connected = stream_->Connected();
  if (!connected.ok()) return Failed(connected.status());
  if (!*connected) return std::nullopt;
  return ProbeOutcome{Verdict::kSuccess, ""};
}

ProbeOutcome TcpCheck::Overdue() const {
  return {Verdict::kFailure,
          absl::StrCat("no connection to ", HostPortText(action_.host, action_.port), " in time")};
}

}  // namespace cluster::node
