#include "node/agent/flags.h"

#include <cstdlib>
#include <memory>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "proto/schema/resource_names.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

std::string CheckName(const std::string& name) {
  const bool label =
      !name.empty() && name.size() <= 63 && name.front() != '-' && name.back() != '-' &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
  return label ? "" : "a node's name has lower-case letters, digits, '-' and '.'";
}

std::string CheckDomain(const std::string& domain) {
  return CheckName(domain).empty()
             ? ""
             : "a domain has lower-case letters, digits, '-' and '.', as cluster.local";
}

std::string CheckAbsolute(const std::string& path) {
  return !path.empty() && path.front() == '/' ? "" : "the path must be absolute";
}

std::string TakeThresholds(const std::string& text, Flags* flags) {
  auto thresholds = ParseThresholds(text);
  if (!thresholds.ok()) return std::string(thresholds.status().message());
  flags->eviction_hard = *std::move(thresholds);
  return "";
}

std::string TakeSoftThresholds(const std::string& text, Flags* flags) {
  auto thresholds = ParseThresholds(text);
  if (!thresholds.ok()) return std::string(thresholds.status().message());
  flags->eviction_soft = *std::move(thresholds);
  return "";
}

std::string TakeHold(const std::string& text, Flags* flags) {
  const auto hold = ParseGoDuration(text);
  if (!hold.ok()) return std::string(hold.status().message());
  flags->eviction_hold = *hold;
  return *hold < absl::ZeroDuration() ? "a duration is not negative" : "";
}

std::string TakeDevice(const std::string& text, Flags* flags) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  int64_t count = 0;
  if (!IsExtendedResource(parts.first) || !absl::SimpleAtoi(parts.second, &count) || count < 0) {
    return absl::StrCat("'", text,
                        "': write NAME=COUNT, the name with a domain: example.com/dongle=2");
  }
  flags->devices[parts.first] = count;
  return "";
}

std::string TakeUserIds(const std::string& text, Flags* flags) {
  const auto range = ParseIdRange(text);
  if (!range.ok()) return std::string(range.status().message());
  flags->user_ids = *range;
  return "";
}

// An option whose text is taken apart by `take`, which says what is wrong with it.
void AddParsed(CLI::App& app, const std::string& name, Flags* flags,
               std::string (*take)(const std::string&, Flags*), const std::string& description) {
  app.add_option_function<std::vector<std::string>>(
         name,
         [take, flags, name](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             const std::string problem = take(text, flags);
             if (!problem.empty()) throw CLI::ValidationError(name, problem);
           }
         },
         description)
      ->allow_extra_args(false);
}

// The three belong together, in whichever order they come.
void AddSoftEvictionFlags(CLI::App& app, Flags* flags) {
  AddParsed(app, "--eviction-soft", flags, TakeSoftThresholds,
            "When pods are evicted if it stays so for a while, as kubelet has it: "
            "memory.available<1Gi; default: never");
  auto graces = std::make_shared<std::string>();
  app.add_option("--eviction-soft-grace-period", *graces,
                 "For how long, for each signal of --eviction-soft: memory.available=1m30s");
  app.add_option_function<int64_t>(
         "--eviction-max-pod-grace-period",
         [flags](int64_t seconds) { flags->eviction_max_grace = absl::Seconds(seconds); },
         "Seconds that a pod evicted for --eviction-soft gets to end by itself, where its own "
         "terminationGracePeriodSeconds is not less; default: 0")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 31));
  app.final_callback([graces, flags] {
    const auto parsed = ParseGraces(*graces);
    const auto soft = parsed.ok() ? Soften(flags->eviction_soft, *parsed) : parsed.status();
    if (!soft.ok()) {
      throw CLI::ValidationError("--eviction-soft-grace-period",
                                 std::string(soft.status().message()));
    }
    flags->eviction_soft = *soft;
  });
}

void AddResourceFlags(CLI::App& app, Flags* flags) {
  AddParsed(app, "--eviction-hard", flags, TakeThresholds,
            "When pods are evicted, as kubelet has it; '' = never; default: "
            "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,pid.available<10%");
  AddSoftEvictionFlags(app, flags);
  AddParsed(app, "--eviction-pressure-transition-period", flags, TakeHold,
            "How long a pressure condition stays after the last shortage; default: 5m");
  AddParsed(app, "--resource", flags, TakeDevice,
            "Something of yours that this node has so many of, for pods to request: NAME=COUNT");
  app.add_option_function<std::string>(
         "--cpu-policy",
         [flags](const std::string& policy) { flags->static_cpus = policy == "static"; },
         "static: a Guaranteed container of whole cpus gets them for itself alone; none (default)")
      ->check(CLI::IsMember({"none", "static"}));
}

std::string CheckLogSize(const std::string& bytes) {
  // Smaller ones would hold a handful of the longest lines.
  const int64_t size = std::atoll(bytes.c_str());
  return size == 0 || size >= 64 << 10 ? "" : "the size is 0 or at least 64Ki";
}

}  // namespace

ParsedFlags ParseFlags(int argc, const char* const* argv) {
  ParsedFlags parsed;
  Flags& flags = parsed.flags;
  CLI::App app("Runs the pods that the controller gives to this machine.", "cluster-node");
  app.set_version_flag("--version", std::string("cluster-node ") + CLUSTER_VERSION);
  app.add_option("--controller", flags.controller, "HOST:PORT or unix:PATH of the controller")
      ->required();
  app.add_option("--name", flags.node, "Name of this node")->required()->check(CheckName);
  app.add_option("--state-dir", flags.state_dir, "Directory that survives a reboot")
      ->required()
      ->check(CheckAbsolute);
  app.add_option("--run-dir", flags.run_dir, "Directory that a reboot empties")
      ->required()
      ->check(CheckAbsolute);
  app.add_option("--cgroup-parent", flags.cgroup_parent, "Cgroup below which all pods are")
      ->capture_default_str()
      ->check(CheckAbsolute);
  app.add_option("--address", flags.address,
                 "IPv4 address at which other nodes reach this one; default: the first one");
  app.add_option("--bridge", flags.bridge, "Name of the pods' bridge")->capture_default_str();
  app.add_option("--resolv-conf", flags.resolv_conf,
                 "resolv.conf(5) of pods with dnsPolicy Default, and whose name servers are asked "
                 "for what is none of the cluster's")
      ->capture_default_str()
      ->check(CheckAbsolute);
  app.add_option("--cluster-domain", flags.cluster_domain,
                 "Domain of the cluster's own names; the same on all nodes")
      ->capture_default_str()
      ->check(CheckDomain);
  app.add_option("--init-program", flags.init_program,
                 "Path of cluster-init; default: beside this program")
      ->check(CheckAbsolute);
  AddParsed(app, "--user-ids", &flags, TakeUserIds,
            "Host ids for the pods' user namespaces, 65536 for each: FIRST:COUNT, as in subuid(5). "
            "Agents of one machine need different ones; default: 524288:1878523904");
  app.add_option("--spare-pods", flags.spare_pods,
                 "How many pods to be are kept ready, so that a start does not wait for namespaces "
                 "and links; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0, 64));
  AddResourceFlags(app, &flags);
  app.add_option("--container-log-max-size", flags.log_max_bytes,
                 "Size at which a container's log goes on in a new file, as 10Mi; 0: never")
      ->transform(CLI::AsSizeValue(false))
      ->check(CheckLogSize)
      ->default_str("10Mi");
  app.add_option("--container-log-max-files", flags.log_max_files,
                 "How many files of one container's log are kept")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  app.footer(
      "Example:\n  cluster-node --controller 192.0.2.10:7443 --name node1 "
      "--state-dir /var/lib/cluster/node --run-dir /run/cluster/node");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit = true;
    parsed.exit_code = app.exit(error) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace cluster::node
