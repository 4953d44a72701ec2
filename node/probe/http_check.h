// GET over HTTP/1.1, as kubelet's probes do it: 200 to 399 is success, redirects are followed on
// the same host alone, no certificate is checked.
#pragma once

#include <memory>
#include <string>

#include "node/probe/check.h"
#include "node/probe/http_response.h"
#include "node/probe/name_lookup.h"
#include "node/probe/stream.h"

namespace cluster::node {

class HttpCheck : public Check {
 public:
  HttpCheck(HttpAction action, CheckPurpose purpose);

  std::optional<ProbeOutcome> Step(CheckContext& context) override;
  ProbeOutcome Overdue() const override;

 private:
  std::string Url() const;
  ProbeOutcome Failed(const std::string& why) const;
  // Each returns an outcome when it is all over; goes on to the next part when it is done.
  std::optional<ProbeOutcome> Open(CheckContext& context);
  std::optional<ProbeOutcome> Converse(CheckContext& context);
  std::optional<ProbeOutcome> Judge(CheckContext& context);
  std::optional<ProbeOutcome> Follow(const HttpTarget& target, CheckContext& context);
  std::string Request() const;

  const HttpAction action_;
  const CheckPurpose purpose_;
  HttpTarget at_;
  int redirects_ = 0;
  NameLookup lookup_;
  std::unique_ptr<Stream> stream_;
  std::string to_send_;
  HttpResponse response_;
};

}  // namespace cluster::node
