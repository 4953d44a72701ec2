// Rules for single words of a manifest. Each returns "" where the text is well-formed, otherwise
// one sentence that quotes it and says how to write it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

// DNS-1123 label: lower case letters, digits, '-'; at most 63.
std::string DnsLabelProblem(absl::string_view text);
// DNS-1035 label: the same, and it begins with a letter.
std::string ServiceNameProblem(absl::string_view text);
// DNS-1123 subdomain: labels joined with '.'; at most 253.
std::string DnsSubdomainProblem(absl::string_view text);
// [prefix/]name, the key of a label or annotation.
std::string QualifiedNameProblem(absl::string_view text);
// The value of a label; may be empty.
std::string LabelValueProblem(absl::string_view text);
// Name of an environment variable.
std::string EnvNameProblem(absl::string_view text);
// Key of a ConfigMap or Secret.
std::string DataKeyProblem(absl::string_view text);
// Name of a port: at most 15 characters.
std::string PortNameProblem(absl::string_view text);
// IPv4 or IPv6.
std::string IpProblem(absl::string_view text);

// "\"text\"", cut where it is very long.
std::string Quote(absl::string_view text);

}  // namespace cluster
