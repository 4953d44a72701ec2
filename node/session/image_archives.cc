#include "node/session/image_archives.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "openssl/evp.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "cluster/v1/session.grpc.pb.h"
#include "node/session/channel.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

constexpr absl::Duration kRetry = absl::Seconds(2);

// SHA-256 of what flows by.
class Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  ~Hash() { EVP_MD_CTX_free(context_); }
  void Add(absl::string_view data) { EVP_DigestUpdate(context_, data.data(), data.size()); }
  std::string Digest() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_, digest, &size);
    return absl::StrCat("sha256:", absl::BytesToHexString(absl::string_view(
                                       reinterpret_cast<const char*>(digest), size)));
  }

 private:
  EVP_MD_CTX* const context_;
};

v1::ImageReport ReportOf(const v1::ImageArchive& archive, const std::vector<ImageRecord>& records) {
  v1::ImageReport report;
  report.set_archive(archive.archive());
  report.set_load(archive.load());
  for (const ImageRecord& record : records) {
    v1::Image* image = report.add_images();
    for (const std::string& name : record.names) image->add_names(name);
    image->set_digest(record.digest);
    image->set_size_bytes(record.size_bytes);
    *image->mutable_created() = ToTimestamp(absl::FromUnixSeconds(record.created_unix_seconds));
  }
  return report;
}

}  // namespace

ImageArchives::ImageArchives(Options options) : options_(std::move(options)) {}

ImageArchives::~ImageArchives() { Stop(); }

absl::Status ImageArchives::Start(std::vector<v1::ImageReport> unpacked) {
  std::error_code error;
  std::filesystem::remove_all(options_.directory, error);
  if (error) return ErrnoStatus(error.value(), "remove", options_.directory);
  RETURN_IF_ERROR(MakeDirectories(options_.directory, 0700));
  MutexLock lock(&mutex_);
  for (v1::ImageReport& report : unpacked) {
    std::string archive = report.archive();
    unpacked_[std::move(archive)] = std::move(report);
  }
  thread_ = std::thread([this] { Work(); });
  return absl::OkStatus();
}

void ImageArchives::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    if (fetching_ != nullptr) fetching_->TryCancel();
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void ImageArchives::SetWanted(std::vector<v1::ImageArchive> archives) {
  MutexLock lock(&mutex_);
  wanted_.assign(archives.begin(), archives.end());
  changed_.SignalAll();
}

void ImageArchives::Retry() {
  MutexLock lock(&mutex_);
  retry_ = true;
  changed_.SignalAll();
}

void ImageArchives::Work() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    if (wanted_.empty()) {
      changed_.Wait(&mutex_);
      continue;
    }
    const v1::ImageArchive archive = wanted_.front();
    retry_ = false;
    const auto known = unpacked_.find(archive.archive());
    // Loaded again: its names are to lead to it anew.
    const bool fresh = known == unpacked_.end() || known->second.load() != archive.load();
    absl::StatusOr<v1::ImageReport> report = v1::ImageReport();
    if (!fresh) report = known->second;
    mutex_.Unlock();
    if (fresh) report = Obtain(archive);
    const bool later = absl::IsUnavailable(report.status());
    if (!report.ok() && !later) {
      v1::ImageReport refusal;
      refusal.set_archive(archive.archive());
      refusal.set_error(std::string(report.status().message()));
      options_.report(std::move(refusal), false);
    } else if (!later) {
      options_.report(*report, fresh);
    }
    mutex_.Lock();
    if (report.ok() && fresh) unpacked_[archive.archive()] = *report;
    const bool current = !wanted_.empty() && wanted_.front().archive() == archive.archive();
    if (!later && current) wanted_.pop_front();
    if (later && !retry_ && !stopping_) changed_.WaitFor(&mutex_, kRetry);
  }
}

absl::StatusOr<v1::ImageReport> ImageArchives::Obtain(const v1::ImageArchive& archive) {
  const std::string path = absl::StrCat(options_.directory, "/archive");
  absl::Status fetched = Fetch(archive, path);
  if (!fetched.ok()) {
    LOG_WARN("fetch image archive {}: {}; trying again", archive.archive(), fetched.ToString());
    return absl::UnavailableError(fetched.message());
  }
  absl::StatusOr<std::vector<ImageRecord>> records =
      options_.store->Load(path, archive.fallback_name());
  ::unlink(path.c_str());
  if (!records.ok()) {
    LOG_WARN("image archive {} is refused: {}", archive.archive(), records.status().ToString());
    // The machine's own shortage passes; what is wrong with the archive stays.
    return absl::IsInvalidArgument(records.status()) || absl::IsResourceExhausted(records.status())
               ? absl::InvalidArgumentError(records.status().message())
               : absl::UnavailableError(records.status().message());
  }
  return ReportOf(archive, *records);
}

absl::Status ImageArchives::Fetch(const v1::ImageArchive& archive, const std::string& path) {
  const std::shared_ptr<grpc::Channel> channel = options_.channel();
  if (channel == nullptr) return absl::UnavailableError("no session with the controller");
  auto context = std::make_shared<grpc::ClientContext>();
  {
    MutexLock lock(&mutex_);
    if (stopping_) return absl::UnavailableError("the agent is ending");
    fetching_ = context;
  }
  const std::unique_ptr<v1::NodeSession::Stub> stub = v1::NodeSession::NewStub(channel);
  v1::FetchImageRequest request;
  request.set_archive(archive.archive());
  const auto reader = stub->FetchImage(context.get(), request);
  Hash hash;
  absl::StatusOr<UniqueFd> file = OpenAt(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  absl::Status status = file.status();
  v1::FetchImageResponse chunk;
  while (status.ok() && reader->Read(&chunk)) {
    hash.Add(chunk.data());
    status = WriteAll(file->get(), chunk.data());
  }
  if (!status.ok()) context->TryCancel();
  const absl::Status finished = FromGrpc(reader->Finish());
  {
    MutexLock lock(&mutex_);
    fetching_.reset();
  }
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(finished);
  const std::string digest = hash.Digest();
  if (digest != archive.archive()) {
    return absl::DataLossError(absl::StrCat("what arrived has digest ", digest));
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
