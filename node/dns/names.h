// What the cluster's own names lead to: the records of one table of services, as Kubernetes has
// them in its "DNS-Based Service Discovery". Below the cluster's domain, "cluster.local":
//
//   web.default.svc                   A: the service's address; headless: those of its pods
//   db-0.db.default.svc               A: of the pod with that hostname behind the headless service
//   10-64-0-7.db.default.svc          A: of one that has none
//   _http._tcp.web.default.svc        SRV: the named port; of a headless one, once for each pod
//   web.default.svc                   SRV: all ports; CNAME: what an ExternalName stands for
//   11.0.60.10.in-addr.arpa           PTR: of a service, and of a pod by its hostname
//
//   dns-version                       TXT: that of the specification
//
// A name that is there but has no such record is answered with none. Until the controller has been
// heard, there may be more than the disk knew, and who is behind a headless service nobody knows.
// Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

#include "base/ipv4.h"
#include "node/services/service_book.h"

namespace cluster::node {

// Numbers as in messages (RFC 1035, 2782, 3596).
enum class RecordType : uint16_t {
  kA = 1,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kAny = 255,
};

enum class ResponseCode : uint8_t {
  kNoError = 0,
  kFormatError = 1,
  kServerFailure = 2,
  kNoSuchName = 3,
  kNotImplemented = 4,
  kRefused = 5,
};

struct NameRecord {
  std::string owner;  // without the last dot; empty: the name that was asked for
  RecordType type = RecordType::kA;
  Ipv4 address;        // kA
  std::string target;  // kCname, kPtr, kSrv: without the last dot; kTxt: the text
  uint16_t port = 0;   // kSrv
};

struct NameAnswer {
  // False: none of the cluster's names.
  bool is_ours = true;
  // The controller's word may be another.
  bool is_stale = false;
  ResponseCode code = ResponseCode::kNoError;
  std::vector<NameRecord> records;
  std::vector<NameRecord> additional;  // addresses of the targets in `records`
  // Not empty: the records end in this name, which is none of the cluster's; what is asked for is
  // there.
  std::string elsewhere;
};

// Of one table. Not thread-safe.
class Names {
 public:
  // `domain`: of the cluster, without a dot at its ends.
  Names(std::shared_ptr<const KnownServices> table, std::string domain);

  // `name`: in small letters, without the last dot.
  NameAnswer Find(const std::string& name, RecordType type) const;

  const KnownServices* table() const { return table_.get(); }

 private:
  using Labels = std::vector<absl::string_view>;
  // Of a name below "svc" and the domain, the last label first.
  NameAnswer FindInServices(const Labels& labels, RecordType type, int depth) const;
  NameAnswer FindService(const v1::ServiceRoute& service, RecordType type, int depth) const;
  NameAnswer FindPort(const v1::ServiceRoute& service, absl::string_view port,
                      absl::string_view protocol, RecordType type) const;
  NameAnswer FindHost(const v1::ServiceRoute& service, absl::string_view host,
                      RecordType type) const;
  NameAnswer FindAddress(Ipv4 address, RecordType type) const;
  static NameAnswer FindVersion(RecordType type);
  // Of that address; empty: none of ours.
  std::string OwnerOf(const std::string& address) const;
  NameAnswer Find(const std::string& name, RecordType type, int depth) const;
  NameAnswer NoSuchName() const;
  // What an answer has, so that it has nothing twice.
  struct Seen {
    std::set<std::pair<std::string, int>> servers;            // target, port
    std::set<std::pair<std::string, std::string>> addresses;  // target, address
  };
  void AddServers(const v1::ServiceRoute& service, const v1::ServicePortRoute& port, Seen* seen,
                  NameAnswer* answer) const;
  std::string NameOf(const v1::ServiceRoute& service) const;
  bool HasNamespace(absl::string_view name_space) const;

  const std::shared_ptr<const KnownServices> table_;
  const std::string domain_;
};

}  // namespace cluster::node
