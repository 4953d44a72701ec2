// All node sessions: who is attached, until when, what each has been told, what they report.
//
// Lives on one strand; every method but Contacts is called there. Leases are kept in memory alone,
// on the monotonic clock: a controller that starts gives each known node a whole lease, as long as
// any was told, and the time that it may take to dial again.
//
// Sessions begin at a bounded rate (admission_queue.h). A node whose Hello waits for its turn is
// there: it is not lost, and its lease runs from the moment when it is let in.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "base/strand.h"
#include "cluster/v1/session.pb.h"
#include "controller/cache/cache.h"
#include "controller/reconcile/node_lifecycle.h"
#include "controller/services/drain_book.h"
#include "controller/services/route_table.h"
#include "controller/session/admission_queue.h"
#include "controller/session/agent_link.h"
#include "controller/session/archive_book.h"
#include "controller/session/assignment_sender.h"
#include "controller/session/lease_table.h"
#include "controller/session/node_registrar.h"
#include "controller/session/options.h"
#include "controller/session/pace_keeper.h"
#include "controller/session/report_book.h"
#include "controller/session/status_writer.h"
#include "controller/session/stream_requests.h"

namespace cluster::controller {

class Hub {
 public:
  struct Parts {
    store::Store* store = nullptr;
    Cache* cache = nullptr;
    Strand* strand = nullptr;
    const Clock* clock = nullptr;
    // An event that a node noted. Any thread.
    std::function<void(v1::Event)> note;
    // Contacts() is another one. Any thread.
    std::function<void()> contacts_changed;
  };
  // Everything in `parts` must outlive the hub, and the strand be stopped before it goes.
  static absl::StatusOr<std::unique_ptr<Hub>> Make(Parts parts, SessionOptions options);

  // Which nodes are in contact, for the reconcilers. Any thread.
  NodeContacts Contacts();

  // From the links. `received`: monotonic time at which the message was there.
  void OnMessage(AgentLink* link, const v1::NodeMessage& message, absl::Duration received);
  void OnAssignmentsSent(AgentLink* link);
  void OnClosed(AgentLink* link);

  // Asks a node to dial back. A node that is between two sessions (its agent or this controller
  // starts anew) is asked when it is attached again; the request is refused, with Unavailable, when
  // the node is lost before that.
  void OpenStream(const std::string& node, StreamRequest request);
  ArchiveBook* archives() { return archives_.get(); }

  // Looks at the leases; happens by itself by the strand's timer.
  void CheckLeases();

 private:
  struct Session {
    AgentLink* link = nullptr;
    std::string node;
    v1::Hello hello;
    bool open = false;  // welcomed
    Pace pace;          // as the node was told
    Registration registration;
    std::unique_ptr<AssignmentSender> sender;  // nullptr until it is told something
    std::vector<std::string> removed;          // uids that the sender is to tell of
    bool dirty = false;                        // there may be something to tell
    bool listed = false;                       // in dirty_ or flushing_
    bool in_flight = false;                    // an Assignments message is on its way
    bool flush_later = false;                  // a timer runs
    absl::Duration last_sent = -absl::InfiniteDuration();
    bool agreed = false;         // the node holds what it was told first
    store::Rev first_told = 0;   // results_in of that first message
    int64_t told_after = -1;     // so many calls of Contacts; see ComeBack
    int disagreements = 0;       // in a row
    int64_t routes_told = 0;     // version
    int64_t routes_known = 0;    // acknowledged
    int routes_in_flight = 0;    // messages that were not acknowledged
    bool routes_queued = false;  // in routes_queue_
    bool routes_later = false;   // a timer runs
    bool whole_table = false;    // one is on its way to it
    absl::Duration routes_sent = -absl::InfiniteDuration();
  };

  Hub(Parts parts, SessionOptions options, PodRanges ranges);
  absl::Status Load();

  // Changes of the store.
  absl::Status Follow();
  void Look();
  void Apply(const Change& change);
  void OnNodeChange(const Change& change);
  void OnPodChange(const Change& change);
  void PodChanged(const Entry& pod);
  void OnReferenceChange(const std::string& key);
  void SetDirty(Session* session);
  void SetAllDirty();
  void MarkDirty(const std::string& node);
  void Flush(Session* session);
  // Some at a time: what came meanwhile is dealt with in between.
  void FlushAll();
  void FlushSome();
  void SendAssignments(Session* session);
  void AskForStream(Session* session, StreamRequest request);
  // The session is over: what was asked in it is not answered.
  void LeaveStreams(Session* session);
  void RefuseStreams(const std::string& node);
  void OnPeersChange();
  void RefreshPeers();
  // Where services lead (hub_routes.cc).
  void FollowRoutes();
  void TellRoutes();
  // The node's turn to be told comes, unless it has to answer first.
  void QueueRoutes(Session* session);
  // Some at a time, whole tables only to so many that have not answered.
  void TellSomeRoutes();
  bool TakesRoutes(Session* session);
  void SendRoutes(Session* session);
  void EndWholeTable(Session* session);
  void OnRoutesAck(Session* session, const v1::RoutesAck& ack);
  // A pod that was behind a service is to end: after every node has taken it out of its routes.
  void DrainIfEnding(const EntryPtr& before, const EntryPtr& after);
  void EndDrained();
  void ScheduleDrains();

  // Messages of nodes.
  void OnHello(Session* session, const v1::Hello& hello, absl::Duration received);
  absl::Status CheckHello(const v1::Hello& hello) const;
  // Lets in whose turn it is, one at a time: what came meanwhile is dealt with in between.
  void AdmitLater();
  void Admit();
  void Welcome(Session* session);
  void OnBeat(Session* session, const v1::Beat& beat);
  void OnStatus(Session* session, const v1::StatusBatch& batch);
  void OnAck(Session* session, const v1::AssignmentsAck& ack);
  void Disagree(Session* session);

  void Renew(Session* session, absl::Duration received);
  // A node that was lost is heard of again. Whoever asked for contacts before this may still be
  // writing that its pods are given up, among them some that the node has not begun yet: it is told
  // nothing until they have asked anew, and so have seen what they wrote.
  void ComeBack(Session* session);
  void TellRemoved(Session* session, const std::string& uid);
  bool MayBeTold(const Session& session) const { return asked_seen_ > session.told_after; }
  absl::Duration LeaseOf(const Pace& pace) const { return pace.ttl + options_.margin; }
  absl::Duration LongestLease() const { return pace_.longest_ttl() + options_.margin; }
  void ReviewContact(Session* session);
  Contact ContactOf(const std::string& node) const;
  // It did not count when this was last stored: the controller before this one had lost it.
  bool IsStoredAsLost(const std::string& node) const;
  void SetContact(const std::string& node, Contact contact);
  std::set<std::string> ReadyNodes() const;
  void ScheduleLeases();
  Session* Find(AgentLink* link);
  Session* FindOpen(const std::string& node);

  const Parts parts_;
  const SessionOptions options_;
  View view_;
  std::unique_ptr<CacheWatch> watch_;
  ReportBook reports_;
  std::unique_ptr<StatusWriter> writer_;
  std::unique_ptr<NodeRegistrar> registrar_;
  std::unique_ptr<ArchiveBook> archives_;
  PaceKeeper pace_;
  LeaseTable leases_;
  AdmissionQueue admissions_;
  bool admission_timer_ = false;
  ClusterFacts facts_;
  absl::Duration peers_refreshed_ = -absl::InfiniteDuration();
  bool peers_later_ = false;  // a timer runs
  RouteTable routes_;
  std::deque<AgentLink*> routes_queue_;
  bool routes_go_on_ = false;  // TellSomeRoutes is posted
  int whole_tables_ = 0;       // on their way
  DrainBook drains_;
  absl::Duration drain_timer_ = absl::InfiniteDuration();  // when it fires
  std::map<AgentLink*, std::unique_ptr<Session>> sessions_;
  std::map<std::string, Session*> by_node_;
  // Those to be flushed, and those that are being; some may be gone or flushed by now.
  std::vector<AgentLink*> dirty_;
  std::deque<AgentLink*> flushing_;
  int64_t asked_seen_ = 0;      // asked_ before view_ was as it is
  bool flush_goes_on_ = false;  // FlushSome is posted
  StreamRequests streams_;
  bool lease_timer_ = false;
  absl::Duration lease_timer_due_;

  mutable Mutex mutex_;
  NodeContacts contacts_ ABSL_GUARDED_BY(mutex_);
  int64_t asked_ ABSL_GUARDED_BY(mutex_) = 0;           // so often for contacts
  bool awaits_asking_ ABSL_GUARDED_BY(mutex_) = false;  // some session does
};

}  // namespace cluster::controller
