// The image archives of the cluster: those that are loaded, those on their way, and which node has
// which.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/strand.h"
#include "cluster/v1/session.pb.h"
#include "controller/store/store.h"

namespace cluster::controller {

constexpr char kArchivePrefix[] = "images/";

// Lives on its owner's strand; the only writer of the keys below kArchivePrefix.
class ArchiveBook {
 public:
  struct Loaded {
    std::vector<v1::Image> images;
    std::vector<std::string> nodes;
  };
  using Done = std::function<void(absl::StatusOr<Loaded>)>;

  // `ready`: names of the nodes that have to have an archive before it counts as loaded. `changed`:
  // the list is another one.
  ArchiveBook(store::Store* store, Strand* strand, std::function<std::set<std::string>()> ready,
              std::function<void()> changed);
  absl::Status Load();

  // What nodes should have, in the order in which it was loaded.
  std::vector<v1::ImageArchive> List() const;
  // All images, each name with the archive that was loaded last.
  std::vector<v1::Image> Images() const;
  // Ids of everything that is loaded or on its way.
  std::set<std::string> Ids() const;

  // Offers an archive, whose file is there, to every node; one that is loaded already is unpacked
  // anew, so that its names lead to it again. `done` once: InvalidArgument when a node
  // refuses it (in the node's words; the archive is then forgotten), Unavailable when no node is
  // ready, DeadlineExceeded after `timeout`.
  void Offer(v1::ImageArchive archive, absl::Duration timeout, Done done);

  // A session of the node begins: it is going to say what it has.
  void Begin(const std::string& node);
  void OnReport(const std::string& node, const v1::ImageReport& report);
  // The set of ready nodes may be another one.
  void Review();

 private:
  struct Pending {
    v1::ImageArchive archive;
    std::vector<Done> done;
    bool storing = false;
    int64_t number = 0;
  };
  void ReviewOne(const std::string& id);
  void Store(const std::string& id);
  void Fail(const std::string& id, const absl::Status& why);
  bool Has(const std::string& node, const v1::ImageArchive& archive) const;
  std::vector<std::string> NodesWith(const v1::ImageArchive& archive) const;

  store::Store* const store_;
  Strand* const strand_;
  const std::function<std::set<std::string>()> ready_;
  const std::function<void()> changed_;
  std::map<std::string, v1::ImageArchiveRecord> loaded_;
  std::map<std::string, store::Rev> loaded_at_;
  std::map<std::string, Pending> pending_;
  std::map<std::string, std::map<std::string, int64_t>> nodes_;  // node -> archive -> load
  std::map<std::string, std::vector<v1::Image>> reported_;       // archive -> images
  int64_t next_number_ = 1;
};

}  // namespace cluster::controller
