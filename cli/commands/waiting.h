// Waiting for objects through watches: no polling, and a controller that restarts meanwhile costs
// nothing.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cli/output/progress.h"
#include "cli/session.h"

#include "cluster/v1/object.pb.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {

struct ObjectName {
  const Kind* kind = nullptr;
  std::string name_space;
  std::string name;
};

// Shows each state of the object to `look` (nullptr: it does not exist) until that is no longer
// kUnderWay. kGivenUp becomes FailedPrecondition with its message; DeadlineExceeded carries the
// last message seen.
absl::Status WaitFor(Client& client, const ObjectName& name, absl::Time deadline,
                     const std::function<Progress(const v1::Object*)>& look);

// Until the object with this uid is gone (or another has its name). Any uid when empty.
absl::Status WaitUntilGone(Client& client, const ObjectName& name, const std::string& uid,
                           absl::Time deadline);

// Until ReadyProgress is done. `say` gets each new message but
// that of a failure. The error of a timeout also names what
// holds the first unready pods up.
absl::Status WaitUntilReady(Client& client, const ObjectName& name, absl::Time deadline,
                            const std::function<void(const std::string&)>& say);

// `now + timeout`, or never for a timeout of zero.
absl::Time DeadlineAfter(absl::Time now, absl::Duration timeout);

}  // namespace cluster::cli
