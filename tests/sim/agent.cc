#include "tests/sim/agent.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::sim {
namespace {

constexpr int64_t kSlowestReady = 8;  // seconds
constexpr Nanos kHookTime = 100 * kMillisecond;

bool IsNeverReady(const node::ProbeTarget& target) {
  for (const node::ProbeSpec& probe : target.probes) {
    const auto* exec = std::get_if<node::ExecAction>(&probe.action);
    if (exec != nullptr && exec->argv.front() == "false") return true;
  }
  return false;
}

node::ImageRecord Image() {
  node::ImageRecord image;
  image.digest = "sha256:abc";
  image.config.cmd = {"app"};
  image.layers = {"/layers/1"};
  return image;
}

node::PodWorld PodsWorld(const AgentOptions& options, node::StatusOutbox* outbox,
                         node::LeaseFile* lease, FakeProber* prober) {
  node::PodWorld world;
  world.lease_file = lease->path();
  world.stop_unique_at = [lease] { return lease->stop_at(); };
  world.boot_id = options.boot_id;
  world.node_name = options.name;
  world.host_ip = options.facts.status().addresses(0).address();
  world.node_memory = int64_t{8} << 30;
  world.period = options.period;
  const auto& allocatable = options.facts.status().allocatable();
  world.allocatable.insert(allocatable.begin(), allocatable.end());
  world.find_image = [](const std::string&) { return Image(); };
  world.resolv_conf = [] { return "nameserver 192.0.2.53\n"; };
  world.name_server = [] { return "10.64.0.1"; };
  world.publish = [outbox](v1::PodStatusUpdate update) { outbox->Put(std::move(update)); };
  world.emit = [outbox](v1::Event event) { outbox->Put(std::move(event)); };
  world.probe = [prober](const std::string& uid, std::vector<node::ProbeTarget> targets) {
    prober->Set(uid, std::move(targets));
  };
  world.take_probe_news = [prober](const std::string& uid) { return prober->TakeNews(uid); };
  return world;
}

node::SessionOptions OptionsOf(const AgentOptions& options, Random* random) {
  node::SessionOptions session;
  session.controller = "controller";
  session.node = options.name;
  session.boot_id = options.boot_id;
  session.seed = static_cast<uint32_t>(random->Next());
  for (int i = 0; i < 16; ++i) {
    session.agent_instance += static_cast<char>(random->Below(256));
  }
  return session;
}

}  // namespace

void FakeProber::Set(const std::string& uid, std::vector<node::ProbeTarget> targets) {
  std::map<std::string, node::Health> kept;
  for (const node::ProbeTarget& target : targets) {
    node::Health health;
    health.container = target.container;
    health.attempt = target.attempt;
    health.started = true;
    health.ready = target.ready;
    if (!target.ready && !IsNeverReady(target)) {
      process_->Run(time_->now() + static_cast<Nanos>(random_->Below(kSlowestReady * kSecond)),
                    [this, uid, name = target.container, attempt = target.attempt] {
                      BecomeReady(uid, name, attempt);
                    });
    }
    kept[target.container] = health;
  }
  health_[uid] = std::move(kept);
  if (targets.empty()) health_.erase(uid);
}

void FakeProber::BecomeReady(const std::string& uid, const std::string& container,
                             int32_t attempt) {
  const auto pod = health_.find(uid);
  if (pod == health_.end()) return;
  const auto found = pod->second.find(container);
  if (found == pod->second.end() || found->second.attempt != attempt) return;
  found->second.ready = true;
  poke_(uid);
}

node::ProbeNews FakeProber::TakeNews(const std::string& uid) {
  node::ProbeNews news;
  const auto pod = health_.find(uid);
  if (pod == health_.end()) return news;
  for (const auto& [name, health] : pod->second) news.health.push_back(health);
  return news;
}

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(AgentOptions options, Process* process,
                                                    Timeline* time, const HostClock* clock,
                                                    Random* random, Machine* machine,
                                                    Network* network, std::function<void()> step) {
  std::unique_ptr<Agent> agent(new Agent);
  agent->runtime_ = machine->RuntimeFor(process, step);
  ASSIGN_OR_RETURN(agent->records_, node::RecordStore::Open(options.directory));
  v1::NodeStateChange begin;
  *begin.mutable_node() = agent->records_->Node();
  begin.mutable_node()->set_incarnation(begin.node().incarnation() + 1);
  RETURN_IF_ERROR(agent->records_->Commit(begin));
  agent->outbox_ = std::make_unique<node::StatusOutbox>(begin.node().incarnation());
  ASSIGN_OR_RETURN(agent->lease_, node::LeaseFile::Open(options.lease_file));
  agent->prober_ = std::make_unique<FakeProber>(process, time, random);

  node::PodWorld world =
      PodsWorld(options, agent->outbox_.get(), agent->lease_.get(), agent->prober_.get());
  world.runtime = agent->runtime_.get();
  world.records = agent->records_.get();
  world.clock = clock;
  world.run_hook = [process, time](node::HookRun, std::function<void(absl::Status)> done) {
    process->Run(time->now() + kHookTime, [done] { done(absl::OkStatus()); });
  };
  node::WorkersOptions workers;
  workers.executor = process;
  agent->workers_ = std::make_unique<node::PodWorkers>(std::move(world), workers);
  agent->prober_->SetListener(
      [workers = agent->workers_.get()](const std::string& uid) { workers->Poke(uid); });
  RETURN_IF_ERROR(agent->workers_->Recover());

  // Never started: there are no archives here, and images are always there.
  agent->archives_ = std::make_unique<node::ImageArchives>(node::ImageArchives::Options());
  Agent* const raw = agent.get();
  agent->claims_ = std::make_unique<node::ClaimEraser>(
      agent->runtime_.get(),
      [raw](const std::string& uid) { return raw->workers_->UsesClaim(uid); },
      [raw](const std::string& uid) { raw->session_->ReportErased(uid); }, process);

  node::SessionParts parts;
  parts.dial = [network, name = options.name, process,
                step](node::ControllerStream::Events events) {
    return network->Dial(name, process, std::move(events), step);
  };
  parts.workers = agent->workers_.get();
  parts.records = agent->records_.get();
  parts.outbox = agent->outbox_.get();
  parts.archives = agent->archives_.get();
  parts.clock = clock;
  parts.lease = agent->lease_.get();
  parts.facts = [facts = options.facts] { return facts; };
  parts.set_range = [](const std::string&, const std::string&) { return absl::OkStatus(); };
  parts.set_peers = [](const std::vector<v1::Peer>&) { return absl::OkStatus(); };
  agent->services_ = std::make_unique<node::ServiceBook>();
  agent->services_->Restore(agent->records_->Services());
  agent->routes_ = std::make_unique<node::RouteApplier>(
      [machine](const node::KnownServices& table) {
        machine->SetRoutes(table);
        return absl::OkStatus();
      },
      process);
  parts.services = agent->services_.get();
  parts.routes = agent->routes_.get();
  parts.erase_claims = [raw](const std::vector<std::string>& uids) { raw->claims_->Erase(uids); };
  parts.open_stream = [](std::shared_ptr<grpc::Channel>, const v1::OpenStream&) {};
  parts.executor = process;
  agent->session_ = std::make_unique<node::Session>(OptionsOf(options, random), std::move(parts));
  agent->session_->Start();
  return agent;
}

}  // namespace cluster::sim
