// The one place that decides how connections are secured.
#pragma once

#include <memory>

#include "grpcpp/security/server_credentials.h"

namespace cluster::controller {

// The unix socket's security is its mode and the check of its peer; TCP has none yet, and the
// controller says so when it listens there. Certificates will come in here.
inline std::shared_ptr<grpc::ServerCredentials> ConnectionCredentials() {
  return grpc::InsecureServerCredentials();
}

}  // namespace cluster::controller
