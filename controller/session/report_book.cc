#include "controller/session/report_book.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cluster::controller {

absl::Status ReportBook::Load(const std::vector<store::Kv>& kvs) {
  for (const store::Kv& kv : kvs) {
    v1::PodReportRecord record;
    if (!record.ParseFromString(kv.value)) {
      return absl::DataLossError(absl::StrCat("the store's ", kv.key, " cannot be read"));
    }
    Set(absl::string_view(kv.key).substr(sizeof(kReportPrefix) - 1), record, kv.mod_rev);
  }
  return absl::OkStatus();
}

int64_t ReportBook::EpochOf(const Entry& pod) const {
  const auto found = records_.find(pod.uid);
  const bool last_was_report = found != records_.end() && found->second.mod_rev == pod.mod_rev;
  return last_was_report ? found->second.epoch : pod.mod_rev;
}

std::optional<v1::PodReportRecord> ReportBook::Find(absl::string_view uid) const {
  const auto found = records_.find(UidKey(uid));
  if (found == records_.end()) return std::nullopt;
  v1::PodReportRecord record;
  record.set_epoch(found->second.epoch);
  record.set_sequence(found->second.sequence);
  record.set_lineage(found->second.lineage);
  return record;
}

void ReportBook::Set(absl::string_view uid, const v1::PodReportRecord& record, store::Rev mod_rev) {
  records_[UidKey(uid)] = {record.epoch(), record.sequence(), record.lineage(), mod_rev};
}

std::vector<std::string> ReportBook::Uids() const {
  std::vector<std::string> uids;
  for (const auto& [uid, stored] : records_) uids.push_back(uid.Text());
  std::sort(uids.begin(), uids.end());
  return uids;
}

}  // namespace cluster::controller
