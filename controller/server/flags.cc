#include "controller/server/flags.h"

#include "CLI/CLI.hpp"

#include "controller/server/version.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

// "" where it is one.
std::string PeriodProblem(const std::string& text) {
  const auto period = ParseGoDuration(text);
  if (!period.ok()) return std::string(period.status().message());
  return *period >= absl::Seconds(1) ? "" : text + " is too short; use 1s or more";
}

}  // namespace

ParsedFlags ParseFlags(int argc, const char* const* argv) {
  ParsedFlags parsed;
  Flags& flags = parsed.flags;
  CLI::App app("Keeps what the cluster should be and decides where it runs.", "cluster-controller");
  app.set_version_flag("--version", std::string("cluster-controller ") + kVersion);
  app.add_option("--state-dir", flags.state_dir, "Directory of the store and the image archives")
      ->required();
  app.add_option("--socket", flags.socket,
                 "Unix socket for clusterctl and for nodes of this machine; only root and the own "
                 "user may use it")
      ->required();
  app.add_option("--listen", flags.listen,
                 "HOST:PORT for nodes of other machines. Open to everyone who can reach it: there "
                 "is no authentication yet");
  app.add_option("--cluster-cidr", flags.cluster_cidr, "Range of all pods")->capture_default_str();
  app.add_option("--node-cidr-bits", flags.node_cidr_bits, "Prefix length of one node's range")
      ->capture_default_str()
      ->check(CLI::Range(8, 30));
  app.add_option("--service-cidr", flags.service_cidr,
                 "Range of the services' addresses; outside that of the pods")
      ->capture_default_str();
  app.add_option("--node-ports", flags.node_ports,
                 "FROM-TO: the ports of every node for services of type NodePort")
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  app.add_flag("--i-am-not-partitioned", flags.i_am_not_partitioned,
               "Replace pods even when most nodes are lost at once");
  std::string placement = "spread";
  app.add_option("--placement", placement,
                 "spread: pods go where there is most room; pack: where there is least, so that "
                 "whole nodes stay free")
      ->capture_default_str()
      ->check(CLI::IsMember({"spread", "pack"}));
  std::string period = "15s";
  app.add_option("--horizontal-pod-autoscaler-sync-period", period,
                 "How often autoscalers look at what pods use")
      ->capture_default_str()
      ->check(PeriodProblem);
  app.footer(
      "Example:\n  cluster-controller --state-dir /var/lib/cluster/controller "
      "--socket /run/cluster/api.sock");
  try {
    app.parse(argc, argv);
    flags.pack = placement == "pack";
    flags.autoscale_period = ParseGoDuration(period).value_or(flags.autoscale_period);
  } catch (const CLI::ParseError& error) {
    parsed.exit = true;
    parsed.exit_code = app.exit(error) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace cluster::controller
