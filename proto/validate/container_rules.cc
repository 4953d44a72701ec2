#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "proto/validate/image_name.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/pod_rules.h"
#include "proto/validate/resource_rules.h"

namespace cluster {
namespace {

void CheckPort(const v1::ContainerPort& port, const Path& path, Findings* findings) {
  if (port.container_port() == 0) {
    findings->Add(path / "containerPort", "a port is missing; set containerPort to 1 to 65535");
  } else if (port.container_port() < 0 || port.container_port() > kLastPort) {
    findings->Add(path / "containerPort",
                  absl::StrCat(port.container_port(), " is not a port; use 1 to 65535"));
  }
  if (port.host_port() < 0 || port.host_port() > kLastPort) {
    findings->Add(path / "hostPort",
                  absl::StrCat(port.host_port(), " is not a port; use 1 to 65535"));
  }
  if (!port.host_ip().empty()) findings->AddProblem(path / "hostIP", IpProblem(port.host_ip()));
  if (!port.name().empty()) findings->AddProblem(path / "name", PortNameProblem(port.name()));
}

void CheckImage(const std::string& image, const Path& path, Findings* findings) {
  if (image.empty()) {
    findings->Add(path, "an image is missing; set it to name:tag");
  } else if (absl::StripAsciiWhitespace(image).size() != image.size()) {
    findings->Add(path, absl::StrCat(Quote(image), " has spaces around it; remove them"));
  } else {
    findings->AddProblem(path, ImageNameProblem(image));
  }
}

bool HasNul(absl::string_view text) { return absl::StrContains(text, absl::string_view("\0", 1)); }

void CheckCommand(const v1::Container& container, const Path& path, Findings* findings) {
  if (!container.command().empty() && container.command(0).empty()) {
    findings->Add((path / "command").At(0),
                  "the program to run is empty; name it or remove the command");
  }
  for (int i = 0; i < container.command_size(); ++i) {
    if (HasNul(container.command(i))) {
      findings->Add((path / "command").At(i), "an argument holds a NUL character; remove it");
    }
  }
  for (int i = 0; i < container.args_size(); ++i) {
    if (HasNul(container.args(i))) {
      findings->Add((path / "args").At(i), "an argument holds a NUL character; remove it");
    }
  }
}

}  // namespace

void CheckContainer(const v1::Container& container, const Path& path, Findings* findings) {
  if (container.name().empty()) {
    findings->Add(path / "name", "a name is missing; every container needs one");
  } else {
    findings->AddProblem(path / "name", DnsLabelProblem(container.name()));
  }
  CheckImage(container.image(), path / "image", findings);
  CheckCommand(container, path, findings);
  if (!container.working_dir().empty() &&
      (!absl::StartsWith(container.working_dir(), "/") || HasNul(container.working_dir()))) {
    findings->Add(path / "workingDir", absl::StrCat(Quote(container.working_dir()),
                                                    " is not absolute; begin it with /"));
  }
  for (int i = 0; i < container.ports_size(); ++i) {
    CheckPort(container.ports(i), (path / "ports").At(i), findings);
  }
  CheckEnv(container, path, findings);
  CheckResources(container.resources(), path / "resources", findings);
  CheckResizePolicies(container, path, findings);
}

}  // namespace cluster
