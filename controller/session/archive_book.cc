#include "controller/session/archive_book.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/object/object_fields.h"

namespace cluster::controller {

ArchiveBook::ArchiveBook(store::Store* store, Strand* strand,
                         std::function<std::set<std::string>()> ready,
                         std::function<void()> changed)
    : store_(store), strand_(strand), ready_(std::move(ready)), changed_(std::move(changed)) {}

absl::Status ArchiveBook::Load() {
  ASSIGN_OR_RETURN(const store::Listing listing, store_->List(kArchivePrefix));
  for (const store::Kv& kv : listing.kvs) {
    v1::ImageArchiveRecord record;
    if (!record.ParseFromString(kv.value)) {
      return absl::DataLossError(absl::StrCat("the store's ", kv.key, " cannot be read"));
    }
    const std::string id = record.archive().archive();
    loaded_[id] = std::move(record);
    loaded_at_[id] = kv.mod_rev;
  }
  return absl::OkStatus();
}

std::vector<v1::ImageArchive> ArchiveBook::List() const {
  std::vector<std::pair<int64_t, const v1::ImageArchive*>> order;
  for (const auto& [id, record] : loaded_) {
    if (!pending_.contains(id)) order.emplace_back(loaded_at_.at(id), &record.archive());
  }
  std::sort(order.begin(), order.end());
  std::vector<std::pair<int64_t, const v1::ImageArchive*>> coming;
  for (const auto& [id, pending] : pending_) {
    coming.emplace_back(pending.number, &pending.archive);
  }
  std::sort(coming.begin(), coming.end());
  order.insert(order.end(), coming.begin(), coming.end());
  std::vector<v1::ImageArchive> list;
  for (const auto& [number, archive] : order) list.push_back(*archive);
  return list;
}

std::vector<v1::Image> ArchiveBook::Images() const {
  std::vector<std::pair<store::Rev, std::string>> order;
  for (const auto& [id, rev] : loaded_at_) order.emplace_back(rev, id);
  std::sort(order.rbegin(), order.rend());
  std::set<std::string> taken;
  std::vector<v1::Image> images;
  for (const auto& [rev, id] : order) {
    for (v1::Image image : loaded_.at(id).images()) {
      std::vector<std::string> names;
      for (const std::string& name : image.names()) {
        if (taken.insert(name).second) names.push_back(name);
      }
      const bool lost_all = names.empty() && !image.names().empty();
      if (lost_all) continue;
      *image.mutable_names() = {names.begin(), names.end()};
      images.push_back(std::move(image));
    }
  }
  return images;
}

std::set<std::string> ArchiveBook::Ids() const {
  std::set<std::string> ids;
  for (const auto& [id, record] : loaded_) ids.insert(id);
  for (const auto& [id, pending] : pending_) ids.insert(id);
  return ids;
}

void ArchiveBook::Offer(v1::ImageArchive archive, absl::Duration timeout, Done done) {
  const std::string id = archive.archive();
  Pending& pending = pending_[id];
  pending.done.push_back(std::move(done));
  if (pending.number == 0) {
    pending.number = next_number_++;
    const int64_t number = pending.number;
    pending.archive = std::move(archive);
    const auto before = loaded_.find(id);
    if (before != loaded_.end()) pending.archive.set_load(before->second.archive().load() + 1);
    strand_->PostAfter(timeout, [this, id, number] {
      const auto found = pending_.find(id);
      if (found == pending_.end() || found->second.number != number) return;
      Fail(id, absl::DeadlineExceededError("not every ready node has unpacked the image in time: "
                                           "see `get nodes` and load it again"));
    });
    changed_();
  }
  ReviewOne(id);
}

void ArchiveBook::Begin(const std::string& node) { nodes_[node].clear(); }

void ArchiveBook::OnReport(const std::string& node, const v1::ImageReport& report) {
  const std::string& id = report.archive();
  if (report.error().empty()) {
    nodes_[node][id] = report.load();
    reported_[id] = {report.images().begin(), report.images().end()};
    return ReviewOne(id);
  }
  if (pending_.contains(id)) {
    return Fail(id, absl::InvalidArgumentError(absl::StrCat(node, ": ", report.error())));
  }
  LOG_WARN("node {} refuses the image archive {}: {}", node, id, report.error());
}

void ArchiveBook::Review() {
  std::vector<std::string> ids;
  for (const auto& [id, pending] : pending_) ids.push_back(id);
  for (const std::string& id : ids) ReviewOne(id);
}

void ArchiveBook::ReviewOne(const std::string& id) {
  const auto found = pending_.find(id);
  if (found == pending_.end() || found->second.storing) return;
  const std::set<std::string> ready = ready_();
  if (ready.empty()) {
    return Fail(id, absl::UnavailableError(
                        "no node is ready to unpack the image: see `get nodes` and try again"));
  }
  for (const std::string& node : ready) {
    if (!Has(node, found->second.archive)) return;
  }
  Store(id);
}

void ArchiveBook::Store(const std::string& id) {
  Pending& pending = pending_.at(id);
  pending.storing = true;
  v1::ImageArchiveRecord record;
  *record.mutable_archive() = pending.archive;
  *record.mutable_images() = {reported_[id].begin(), reported_[id].end()};
  store::Txn txn;
  txn.write_id = RandomId();
  txn.ops.push_back(
      {store::Op::Kind::kPut, absl::StrCat(kArchivePrefix, id), record.SerializeAsString(), 0});
  store_->Submit(std::move(txn), [this, id, record](store::SubmitResult result) {
    strand_->Post([this, id, record, result = std::move(result)] {
      if (!result.status.ok()) return Fail(id, result.status);
      loaded_[id] = record;
      loaded_at_[id] = result.commit.rev;
      std::vector<Done> done = std::move(pending_[id].done);
      pending_.erase(id);
      const Loaded loaded{{record.images().begin(), record.images().end()},
                          NodesWith(record.archive())};
      for (const Done& call : done) call(loaded);
    });
  });
}

void ArchiveBook::Fail(const std::string& id, const absl::Status& why) {
  const std::vector<Done> done = std::move(pending_[id].done);
  pending_.erase(id);
  if (!loaded_.contains(id)) {
    reported_.erase(id);
    for (auto& [node, archives] : nodes_) archives.erase(id);
  }
  changed_();
  for (const Done& call : done) call(why);
}

bool ArchiveBook::Has(const std::string& node, const v1::ImageArchive& archive) const {
  const auto archives = nodes_.find(node);
  if (archives == nodes_.end()) return false;
  const auto found = archives->second.find(archive.archive());
  return found != archives->second.end() && found->second == archive.load();
}

std::vector<std::string> ArchiveBook::NodesWith(const v1::ImageArchive& archive) const {
  std::vector<std::string> names;
  for (const auto& [node, archives] : nodes_) {
    if (Has(node, archive)) names.push_back(node);
  }
  return names;
}

}  // namespace cluster::controller
