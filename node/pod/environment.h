// What a container is started with: variables and command line. Pure.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "cluster/v1/session.pb.h"
#include "node/image/image_store.h"
#include "node/volume/references.h"

namespace cluster::node {

// Variables in the order in which they were first set.
using Environment = std::vector<std::pair<std::string, std::string>>;

// What sethostname(2) takes.
inline constexpr size_t kLongestHostname = 64;

// The name in DNS of a pod with a subdomain, below the cluster's domain; empty: it has none.
std::string DomainNameOf(const v1::Pod& pod, absl::string_view cluster_domain);

// spec.hostname or the pod's name, cut to what a label may have; with setHostnameAsFQDN the name in
// DNS, which may be too long.
std::string HostnameOf(const v1::Pod& pod, absl::string_view cluster_domain);

// $(NAME) becomes the variable's value, $$(NAME) the text $(NAME); unknown names, and what is no
// reference, stay as written.
std::string Expand(absl::string_view text, const std::map<std::string, std::string>& variables);

// The image's variables, then those of the namespace's services, envFrom and env; later ones win.
// Only the image's do not expand in others, as in Kubernetes. FailedPrecondition (one sentence)
// when a ConfigMap, Secret or key that is not optional is missing, or a value cannot be a variable.
struct BuiltEnvironment {
  Environment all;
  // What $(NAME) sees in command and args.
  std::map<std::string, std::string> of_manifest;
};
absl::StatusOr<BuiltEnvironment> BuildEnvironment(const v1::Assignment& assignment,
                                                  const v1::Container& container,
                                                  const ImageConfig& image,
                                                  const NodeContext& context);

// Entrypoint and Cmd of the image under command and args of the manifest. FailedPrecondition when
// nothing is left to run.
absl::StatusOr<std::vector<std::string>> BuildCommandLine(
    const v1::Container& container, const ImageConfig& image,
    const std::map<std::string, std::string>& variables);

}  // namespace cluster::node
