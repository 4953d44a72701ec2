// Brings one pod to where its record says it should be: one idempotent verb per round.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/v1/node_state.pb.h"
#include "cluster/v1/session.pb.h"
#include "node/image/image_store.h"
#include "node/pod/decide.h"
#include "node/pod/record_store.h"
#include "node/pod/resize.h"
#include "node/pod/resolv_conf.h"
#include "node/probe/action.h"
#include "node/runtime/runtime.h"
#include "node/services/service_book.h"
#include "node/volume/references.h"

namespace cluster::node {

// What all workers of a node share. Everything pointed to outlives them; the functions may be
// called from any thread and do not block for long.
struct PodWorld {
  Runtime* runtime = nullptr;
  RecordStore* records = nullptr;
  const Clock* clock = nullptr;
  std::string boot_id;
  std::string node_name;
  std::string host_ip;
  int64_t node_memory = 0;  // bytes
  // A lost hint costs a pod so much time (law 3).
  absl::Duration period = absl::Seconds(30);
  // When pods that exist once begin to end, unless the lease goes on until then (CLOCK_BOOTTIME);
  // empty: never. The file is for their cluster-init; "" = there is none.
  std::function<absl::Duration()> stop_unique_at = {};
  std::string lease_file = {};
  // Null: there are no services.
  const ServiceBook* services = nullptr;
  // What the node has for pods, as in its status.
  std::map<std::string, std::string> allocatable = {};
  std::function<absl::StatusOr<ImageRecord>(const std::string& name)> find_image;
  // The content of the node's resolv.conf.
  std::function<std::string()> resolv_conf;
  // Address of the cluster's name server on this node; "": not yet.
  std::function<std::string()> name_server;
  std::string cluster_domain = "cluster.local";
  // Takes a status for the controller; sequence is set by whoever sends it.
  std::function<void(v1::PodStatusUpdate)> publish;
  std::function<void(v1::Event)> emit;
  // What is to be probed in a pod from now on; replaces what was said of it before.
  std::function<void(const std::string& uid, std::vector<ProbeTarget> targets)> probe;
  std::function<ProbeNews(const std::string& uid)> take_probe_news;
  // Begins to run a hook; `done` is called once, from any thread, at the latest after its time.
  std::function<void(HookRun run, std::function<void(absl::Status)> done)> run_hook;
  // Lets `decide` see what a pod may be resized into, one pod at a time, so that the next one sees
  // what this one was granted; may be empty: everything fits. Set by PodWorkers.
  std::function<void(const std::string& uid, const std::function<void(const NodeRoom&)>& decide)>
      with_room;
  // Takes ReadWriteOncePod claims (uids) for a pod until it is over, all or none: then the sentence
  // says who has which. May be empty: there are no other pods. Set by PodWorkers.
  std::function<absl::Status(const std::string& uid, const std::vector<std::string>& claims)>
      take_claims;
  // Makes somebody call Round soon. Set by PodWorkers.
  std::function<void(const std::string& uid)> look_again;

  Moment Now() const { return {clock->Now(), clock->Monotonic(), boot_id}; }
};

// Where hooks leave how they ended.
struct HookInbox {
  Mutex mutex;
  std::vector<HookEnd> ends ABSL_GUARDED_BY(mutex);
};

// Round is called by one thread at a time; everything else from any thread.
class PodWorker {
 public:
  // `world` outlives the worker. `record` is durable already.
  PodWorker(const PodWorld* world, v1::PodRecord record);

  // A durable change of the assignment, taken up by the next round.
  void Tell(v1::AssignmentRecord assignment);
  // Something that the pod may wait for has changed (an image came): hurdles are tried again.
  void Retry();
  // The pod is to end as Failed, Evicted, with at most so much time (whole seconds) for its
  // containers to end by themselves; nothing for one that is on its way out.
  void Evict(std::string message, absl::Duration grace = absl::ZeroDuration());
  // The node's lease was over: a pod that exists once is to end.
  void LoseLease();

  // Looks, records, does at most one verb. Returns when the next round is due (monotonic): in the
  // past when there is more to do at once, infinite when only a hint can change anything.
  absl::Duration Round();

  // Nothing is left on the node and the controller does not list the pod: forget the worker.
  bool Finished() const;
  v1::PodRecord Snapshot() const;
  // The same without a copy; `see` must not call back.
  void Visit(const std::function<void(const v1::PodRecord&)>& see) const;

 private:
  void TakeNews(const Moment& now);
  // Ends a pod that exists once, when the lease is about to be over: another node may have it then.
  void MindLease(const Moment& now);
  // When MindLease may have something to do; infinite for pods that may exist twice.
  absl::Duration NextLeaseLook() const;
  absl::StatusOr<Observed> Observe();
  void ObserveHooks(Observed* observed);
  // The end of its log as its last words, where its manifest asks for that.
  void AddLogTail(ContainerState* state) const;
  // Tells the prober what there is to probe, when that has changed.
  void WatchHealth();
  // Of the record without its assignment, and without a copy: each round asks for them.
  std::string OwnBytes();
  // Makes the record durable if it changed since it last was.
  absl::Status Keep();
  void Publish(const Moment& now);
  // Sets or takes away the hurdles of images and references that are missing.
  void CheckConfiguration();
  // Brings the files of running containers' volumes up to date after a change.
  void RefreshVolumes();
  NodeContext ContextOf() const;
  absl::StatusOr<ContainerSpec> SpecOf(const v1::Container& container, std::string* image_id,
                                       std::string* stop_signal) const;

  void Do(const Decision& decision, const Moment& now);
  void PrepareSandbox(const Moment& now);
  void StartContainer(const std::string& name, const Moment& now);
  absl::Status TakeClaims();
  void RunHook(const Decision& decision);
  void SignalContainer(const std::string& name, int signal, const Moment& now);
  void KillContainer(const std::string& name, const Moment& now);
  void Release(const Moment& now);
  void Remove(const Moment& now);

  // Resizes; see resize.h and worker_resize.cc.
  void AdmitResize(const Moment& now);
  bool ResizeIsDue(const Moment& now) const;
  void Resize(const Moment& now);

  void Forget();
  void ReportEnd(const v1::ContainerRecord& container);
  void ReportStop(const v1::ContainerRecord& container);
  void ReportHook(const HookEnd& end);
  void ReportProbe(const ProbeReport& report);
  // A hurdle that is tried again after a growing wait.
  Hurdle RetryLater(const std::string& what, std::string reason, std::string message,
                    const Moment& now);
  void Emit(const std::string& type, const std::string& reason, const std::string& message,
            const std::string& container);

  const PodWorld* const world_;

  // Of the thread that runs Round.
  v1::PodRecord record_;
  std::string kept_;            // record_ as it was last made durable, without its assignment
  bool snapshot_stale_ = true;  // snapshot_ has yet to follow record_
  std::string published_;       // the update as it was last sent
  std::optional<SandboxState> sandbox_;
  Hurdles hurdles_;
  bool volumes_stale_ = true;   // what they are made of may have changed
  std::string volume_trouble_;  // why they could not be brought up to date, as it was told
  absl::Duration resize_retry_at_ = -absl::InfiniteDuration();
  std::map<std::string, int> tries_;              // by verb and container
  std::map<std::string, int32_t> reported_ends_;  // attempts whose end was told as an event
  std::map<std::string, int32_t> reported_stops_;
  std::map<std::string, int32_t> adopted_;      // attempts that ran before this agent did
  std::string watched_;                         // what the prober was told last
  std::map<std::string, int32_t> hooks_;        // that run, by container: its attempt
  const std::shared_ptr<HookInbox> hook_ends_;  // outlives the worker while hooks run

  mutable Mutex mutex_;
  std::optional<v1::AssignmentRecord> news_ ABSL_GUARDED_BY(mutex_);
  bool retry_ ABSL_GUARDED_BY(mutex_) = false;
  struct Eviction {
    std::string message;
    absl::Duration grace;
  };
  std::optional<Eviction> eviction_ ABSL_GUARDED_BY(mutex_);
  bool lease_lost_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  v1::PodRecord snapshot_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::node
