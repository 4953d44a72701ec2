// Success is a connection.
#pragma once

#include <memory>
#include <string>

#include "node/probe/check.h"
#include "node/probe/name_lookup.h"
#include "node/probe/stream.h"

namespace cluster::node {

class TcpCheck : public Check {
 public:
  explicit TcpCheck(TcpAction action) : action_(std::move(action)) {}

  std::optional<ProbeOutcome> Step(CheckContext& context) override;
  ProbeOutcome Overdue() const override;

 private:
  ProbeOutcome Failed(const absl::Status& why) const;

  const TcpAction action_;
  NameLookup lookup_;
  std::unique_ptr<Stream> stream_;
};

}  // namespace cluster::node
