#include "node/agent/agent.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/session/attach_stream.h"
#include "node/session/facts.h"

namespace cluster::node {
namespace {

// Memory that eviction wants to see free is not for pods to request.
int64_t KeptMemory(const EvictorOptions& eviction) {
  int64_t kept = 0;
  for (const Threshold& threshold : eviction.thresholds) {
    if (threshold.shortage != Shortage::kMemory || threshold.soft()) continue;
    kept = std::max(kept, threshold.percent > 0
                              ? static_cast<int64_t>(static_cast<double>(MachineMemory()) / 100.0 *
                                                     threshold.percent)
                              : threshold.amount);
  }
  return kept;
}

FactsOptions FactsOptionsOf(const AgentOptions& options) {
  FactsOptions facts{options.node,
                     options.boot_id,
                     options.address,
                     options.cgroup_version,
                     options.agent_version,
                     options.state_dir,
                     0,
                     options.hugepages,
                     options.devices};
  facts.kept_memory = KeptMemory(options.eviction);
  return facts;
}

PodWorld MakeWorld(const AgentOptions& options, const AgentParts& parts, RecordStore* records,
                   StatusOutbox* outbox, Prober* prober, LeaseFile* lease) {
  PodWorld world;
  world.services = parts.services;
  world.lease_file = lease->path();
  world.stop_unique_at = [lease] { return lease->stop_at(); };
  world.runtime = parts.runtime;
  world.records = records;
  world.clock = parts.clock;
  world.boot_id = options.boot_id;
  world.node_name = options.node;
  world.host_ip = options.address;
  world.node_memory = MachineMemory();
  const v1::Node node = ReadFacts(FactsOptionsOf(options));
  world.allocatable.insert(node.status().allocatable().begin(), node.status().allocatable().end());
  world.find_image = [images = parts.images](const std::string& name) {
    return images->Find(name);
  };
  world.resolv_conf = [path = options.resolv_conf] { return ReadFile(path).value_or(""); };
  world.name_server = parts.name_server;
  world.cluster_domain = options.cluster_domain;
  world.publish = [outbox](v1::PodStatusUpdate update) { outbox->Put(std::move(update)); };
  world.emit = [outbox](v1::Event event) { outbox->Put(std::move(event)); };
  world.probe = [prober](const std::string& uid, std::vector<ProbeTarget> targets) {
    prober->Set(uid, std::move(targets));
  };
  world.take_probe_news = [prober](const std::string& uid) { return prober->TakeNews(uid); };
  world.run_hook = [prober](HookRun run, std::function<void(absl::Status)> done) {
    prober->RunHook(std::move(run), std::move(done));
  };
  return world;
}

std::vector<SampledPod> SampledPods(const PodWorkers& workers) {
  std::vector<SampledPod> pods;
  workers.Visit([&pods](const v1::PodRecord& record) {
    const v1::ObjectMeta& meta = record.assignment().pod().metadata();
    SampledPod pod{record.uid(), meta.namespace_(), meta.name(), {}};
    for (const v1::ContainerRecord& container : record.containers()) {
      if (StageOf(container) == Stage::kRunning) {
        pod.containers.emplace_back(container.name(), container.attempt());
      }
    }
    if (!pod.containers.empty()) pods.push_back(std::move(pod));
  });
  return pods;
}

StreamServer::AskStats AskSampler(Sampler* sampler, const PodWorkers& workers) {
  if (sampler == nullptr) return nullptr;
  return [sampler, &workers](std::function<void(v1::NodeStats)> answer) {
    sampler->Ask([&workers] { return SampledPods(workers); }, std::move(answer));
  };
}

v1::Node FactsWithImages(const FactsOptions& options, const ImageStore& images) {
  v1::Node facts = ReadFacts(options);
  for (const ImageRecord& record : images.List()) {
    v1::ContainerImage* image = facts.mutable_status()->add_images();
    for (const std::string& name : record.names) image->add_names(name);
    image->set_size_bytes(record.size_bytes);
  }
  return facts;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(AgentOptions options, AgentParts parts) {
  std::unique_ptr<Agent> agent(new Agent);
  agent->sampler_ = parts.sampler;
  ASSIGN_OR_RETURN(agent->records_, RecordStore::Open(absl::StrCat(options.state_dir, "/agent")));
  v1::NodeStateChange begin;
  *begin.mutable_node() = agent->records_->Node();
  begin.mutable_node()->set_incarnation(begin.node().incarnation() + 1);
  RETURN_IF_ERROR(agent->records_->Commit(begin));
  agent->outbox_ = std::make_unique<StatusOutbox>(begin.node().incarnation());
  agent->FindServices(parts);
  ASSIGN_OR_RETURN(agent->lease_, LeaseFile::Open(options.lease_file));
  ASSIGN_OR_RETURN(agent->prober_, Prober::Start(parts.runtime, parts.clock));
  agent->workers_ = std::make_unique<PodWorkers>(
      MakeWorld(options, parts, agent->records_.get(), agent->outbox_.get(), agent->prober_.get(),
                agent->lease_.get()),
      options.workers);
  agent->prober_->SetListener(
      [workers = agent->workers_.get()](const std::string& uid) { workers->Poke(uid); });
  RETURN_IF_ERROR(agent->workers_->Recover());
  agent->streams_ = std::make_unique<StreamServer>(agent->workers_.get(), parts.runtime,
                                                   AskSampler(parts.sampler, *agent->workers_));

  Agent* const raw = agent.get();
  ImageArchives::Options archives;
  archives.store = parts.images;
  archives.directory = absl::StrCat(options.state_dir, "/archives");
  archives.channel = [raw] { return raw->session_->channel(); };
  archives.report = [raw](v1::ImageReport report, bool fresh) {
    raw->session_->Report(std::move(report), fresh);
  };
  agent->archives_ = std::make_unique<ImageArchives>(std::move(archives));

  agent->claims_ = std::make_unique<ClaimEraser>(
      parts.runtime, [raw](const std::string& uid) { return raw->workers_->UsesClaim(uid); },
      [raw](const std::string& uid) { raw->session_->ReportErased(uid); });

  SessionOptions session;
  session.controller = options.controller;
  session.node = options.node;
  session.boot_id = options.boot_id;
  ASSIGN_OR_RETURN(session.agent_instance, RandomBytes16());
  SessionParts session_parts;
  session_parts.dial = DialOverGrpc(options.controller);
  session_parts.workers = agent->workers_.get();
  session_parts.records = agent->records_.get();
  session_parts.outbox = agent->outbox_.get();
  session_parts.archives = agent->archives_.get();
  session_parts.clock = parts.clock;
  session_parts.lease = agent->lease_.get();
  session_parts.facts = [facts = FactsOptionsOf(options), images = parts.images, raw] {
    return raw->WithPressure(FactsWithImages(facts, *images));
  };
  session_parts.set_range = parts.set_range;
  session_parts.set_peers = parts.set_peers;
  session_parts.services = parts.services;
  session_parts.routes = agent->routes_.get();
  session_parts.erase_claims = [raw](const std::vector<std::string>& uids) {
    raw->claims_->Erase(uids);
  };
  session_parts.open_stream = [raw](std::shared_ptr<grpc::Channel> channel,
                                    const v1::OpenStream& request) {
    raw->streams_->Open(std::move(channel), request);
  };
  agent->session_ = std::make_unique<Session>(std::move(session), std::move(session_parts));
  RETURN_IF_ERROR(
      agent->archives_->Start({begin.node().unpacked().begin(), begin.node().unpacked().end()}));
  if (parts.shortage.node) agent->StartEvictor(options.eviction, parts);
  agent->session_->Start();
  return agent;
}

void Agent::FindServices(const AgentParts& parts) {
  parts.services->Restore(records_->Services());
  routes_ = std::make_unique<RouteApplier>(parts.set_services, nullptr);
}

void Agent::StartEvictor(const EvictorOptions& options, const AgentParts& parts) {
  evictor_ =
      std::make_unique<Evictor>(options, ShortageParts(parts.shortage, workers_.get(), parts.clock,
                                                       [this] { session_->TellFacts(); }));
  // Before the first hello, which tells of it.
  evictor_->Look();
  evictor_->Start();
}

v1::Node Agent::WithPressure(v1::Node node) const {
  if (evictor_ == nullptr) return node;
  for (const v1::Condition& condition : evictor_->Conditions()) {
    *node.mutable_status()->add_conditions() = condition;
  }
  return node;
}

void Agent::HintShortage() {
  if (evictor_ != nullptr) evictor_->Hint();
}

Agent::~Agent() { Stop(absl::InfiniteDuration()); }

bool Agent::Stop(absl::Duration patience) {
  // Each stops calling the ones that stop after it.
  if (evictor_ != nullptr) evictor_->Stop();
  if (session_ != nullptr) session_->Stop();
  if (routes_ != nullptr) routes_->Stop();
  if (archives_ != nullptr) archives_->Stop();
  if (claims_ != nullptr) claims_->Stop();
  if (streams_ != nullptr) streams_->Stop();
  if (sampler_ != nullptr) sampler_->Stop();
  if (prober_ != nullptr) prober_->Stop();
  return workers_ == nullptr || workers_->Stop(patience);
}

}  // namespace cluster::node
