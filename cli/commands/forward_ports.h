// The ports of a command line: [LOCAL:]REMOTE.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cluster/v1/pod.pb.h"
#include "cluster/v1/service.pb.h"

namespace cluster::cli {

struct ForwardedPort {
  uint16_t local = 0;  // 0: any that is free
  uint16_t remote = 0;
  bool operator==(const ForwardedPort&) const = default;
};

// "8080:80", "80" (the same on both sides), ":80" and "0:80" (any free one here), "8080:http" (a
// port that a container of the pod names). A UsageError for anything else; NotFound: no such name.
absl::StatusOr<ForwardedPort> ParseForwardedPort(const std::string& word, const v1::Pod& pod);

// One or more.
absl::StatusOr<std::vector<ForwardedPort>> ParseForwardedPorts(
    const std::vector<std::string>& words, const v1::Pod& pod);

// The same words in the terms of the service's pods, where REMOTE is a port of the service, by
// number or name: "8080:80" becomes "8080:http" where the service's port 80 leads there. NotFound:
// it has no such port of TCP.
absl::StatusOr<std::vector<std::string>> ToPodPorts(const std::vector<std::string>& words,
                                                    const v1::Service& service);

}  // namespace cluster::cli
