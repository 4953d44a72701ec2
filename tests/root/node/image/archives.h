// Image archives made in the test, good ones and hostile ones.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "node/image/digest.h"
#include "node/image/documents.h"

namespace cluster::node {

enum class Packing { kPlain, kGzip, kZstd };

// What libarchive writes for the entries; it writes hostile ones as they come.
class Tar {
 public:
  explicit Tar(Packing packing = Packing::kPlain) : writer_(archive_write_new()) {
    archive_write_set_format_pax(writer_);
    if (packing == Packing::kGzip) archive_write_add_filter_gzip(writer_);
    if (packing == Packing::kZstd) archive_write_add_filter_zstd(writer_);
    archive_write_set_bytes_in_last_block(writer_, 1);
    archive_write_open(writer_, this, nullptr, &Tar::Append, nullptr);
  }
  Tar(const Tar&) = delete;
  Tar& operator=(const Tar&) = delete;
  ~Tar() { archive_write_free(writer_); }

  struct Entry {
    mode_t mode = 0644;
    int64_t uid = 0;
    int64_t gid = 0;
    int64_t mtime = 1'600'000'000;
    std::vector<std::pair<std::string, std::string>> xattrs;
    int64_t declared_size = -1;  // -1 = that of the content
  };

  Tar& File(const std::string& path, const std::string& content) {
    return File(path, content, Entry());
  }
  Tar& File(const std::string& path, const std::string& content, const Entry& entry) {
    return Add(path, AE_IFREG, entry, content, "", "");
  }
  Tar& Dir(const std::string& path, mode_t mode = 0755) {
    Entry entry;
    entry.mode = mode;
    return Add(path, AE_IFDIR, entry, "", "", "");
  }
  Tar& Symlink(const std::string& path, const std::string& target) {
    return Add(path, AE_IFLNK, Entry(), "", target, "");
  }
  Tar& HardLink(const std::string& path, const std::string& target) {
    return Add(path, AE_IFREG, Entry(), "", "", target);
  }
  Tar& Special(const std::string& path, mode_t type) {
    return Add(path, type, Entry(), "", "", "");
  }
  // A file of `size` bytes with data only at its end.
  Tar& Sparse(const std::string& path, int64_t size) {
    Entry entry;
    entry.declared_size = size;
    sparse_at_ = size - 1;
    Add(path, AE_IFREG, entry, "", "", "");
    sparse_at_ = -1;
    return *this;
  }

  std::string Bytes() {
    archive_write_close(writer_);
    return bytes_;
  }

 private:
  static la_ssize_t Append(archive*, void* self, const void* data, size_t size) {
    static_cast<Tar*>(self)->bytes_.append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  }
  Tar& Add(const std::string& path, mode_t type, const Entry& entry, const std::string& content,
           const std::string& symlink, const std::string& hardlink) {
    archive_entry* header = archive_entry_new();
    archive_entry_set_pathname(header, path.c_str());
    archive_entry_set_filetype(header, type);
    archive_entry_set_perm(header, entry.mode);
    archive_entry_set_uid(header, entry.uid);
    archive_entry_set_gid(header, entry.gid);
    archive_entry_set_mtime(header, entry.mtime, 0);
    const auto size = static_cast<int64_t>(content.size());
    archive_entry_set_size(header, entry.declared_size >= 0 ? entry.declared_size : size);
    if (sparse_at_ >= 0) archive_entry_sparse_add_entry(header, sparse_at_, 1);
    if (!symlink.empty()) archive_entry_set_symlink(header, symlink.c_str());
    if (!hardlink.empty()) archive_entry_set_hardlink(header, hardlink.c_str());
    if (type == AE_IFCHR || type == AE_IFBLK) {
      archive_entry_set_rdevmajor(header, 1);
      archive_entry_set_rdevminor(header, 3);
    }
    for (const auto& [name, value] : entry.xattrs) {
      archive_entry_xattr_add_entry(header, name.c_str(), value.data(), value.size());
    }
    EXPECT_GE(archive_write_header(writer_, header), ARCHIVE_WARN) << archive_error_string(writer_);
    if (!content.empty()) archive_write_data(writer_, content.data(), content.size());
    if (sparse_at_ >= 0) {
      const std::string zeros(1 << 20, '\0');
      for (int64_t left = entry.declared_size; left > 0;) {
        left -= archive_write_data(writer_, zeros.data(),
                                   static_cast<size_t>(std::min<int64_t>(left, 1 << 20)));
      }
    }
    archive_entry_free(header);
    return *this;
  }

  archive* writer_;
  std::string bytes_;
  int64_t sparse_at_ = -1;
};

inline std::string Pack(const std::string& bytes, Packing packing) {
  if (packing == Packing::kPlain) return bytes;
  std::string packed(bytes.size() + (1 << 20), '\0');
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  if (packing == Packing::kGzip) archive_write_add_filter_gzip(writer);
  if (packing == Packing::kZstd) archive_write_add_filter_zstd(writer);
  archive_write_set_bytes_in_last_block(writer, 1);
  size_t used = 0;
  archive_write_open_memory(writer, packed.data(), packed.size(), &used);
  archive_entry* header = archive_entry_new();
  archive_entry_set_pathname(header, "data");
  archive_entry_set_filetype(header, AE_IFREG);
  archive_write_header(writer, header);
  archive_write_data(writer, bytes.data(), bytes.size());
  archive_write_close(writer);
  archive_entry_free(header);
  archive_write_free(writer);
  packed.resize(used);
  return packed;
}

// The members of an archive by path.
using Members = std::map<std::string, std::string>;

inline std::string TarOf(const Members& members, Packing packing = Packing::kPlain) {
  Tar tar(packing);
  for (const auto& [path, content] : members) tar.File(path, content);
  return tar.Bytes();
}

inline void WriteMembers(const Members& members, const std::string& directory) {
  for (const auto& [path, content] : members) {
    const std::string full = directory + "/" + path;
    ASSERT_TRUE(MakeDirectories(full.substr(0, full.rfind('/'))).ok());
    ASSERT_TRUE(WriteFileDurably(full, content).ok());
  }
}

struct Layer {
  std::string tar;
  Packing packing = Packing::kPlain;
};

// An image to be, and what may be wrong with it.
struct ImageDraft {
  std::vector<Layer> layers;
  std::string name = "web:1.0";
  std::string architecture = std::string(NodeArchitecture());
  std::string os = "linux";
  std::string config =
      R"({"Entrypoint":["/bin/web"],"Cmd":["-v"],"Env":["A=1","B=2"],"WorkingDir":"/srv",)"
      R"("User":"33:33","StopSignal":"SIGQUIT","Labels":{"team":"x"}})";
  std::string wrong_diff_id;  // instead of the first layer's
};

inline std::string ConfigOf(const ImageDraft& draft) {
  std::vector<std::string> diff_ids;
  for (const Layer& layer : draft.layers) {
    diff_ids.push_back(absl::StrCat("\"", Sha256Of(layer.tar), "\""));
  }
  if (!draft.wrong_diff_id.empty()) diff_ids[0] = absl::StrCat("\"", draft.wrong_diff_id, "\"");
  return absl::StrCat(R"({"created":"2024-05-06T07:08:09.123456789Z","architecture":")",
                      draft.architecture, R"(","os":")", draft.os, R"(","config":)", draft.config,
                      R"(,"rootfs":{"type":"layers","diff_ids":[)", absl::StrJoin(diff_ids, ","),
                      "]}}");
}

inline std::string Descriptor(const std::string& type, const std::string& bytes,
                              const std::string& more = "") {
  return absl::StrCat(R"({"mediaType":"application/vnd.oci.image.)", type, R"(","digest":")",
                      Sha256Of(bytes), R"(","size":)", bytes.size(), more, "}");
}

inline std::string PutBlob(const std::string& bytes, Members* members) {
  (*members)["blobs/sha256/" + HexOf(Sha256Of(bytes))] = bytes;
  return bytes;
}

// Adds the image's blobs and gives its manifest.
inline std::string AddManifest(const ImageDraft& draft, Members* members) {
  std::vector<std::string> layers;
  for (const Layer& layer : draft.layers) {
    layers.push_back(Descriptor("layer.v1.tar", PutBlob(Pack(layer.tar, layer.packing), members)));
  }
  const std::string config = PutBlob(ConfigOf(draft), members);
  return PutBlob(
      absl::StrCat(R"({"schemaVersion":2,"config":)", Descriptor("config.v1+json", config),
                   R"(,"layers":[)", absl::StrJoin(layers, ","), "]}"),
      members);
}

inline std::string NameAnnotation(const std::string& name) {
  return absl::StrCat(R"(,"annotations":{"org.opencontainers.image.ref.name":")", name, R"("})");
}

inline Members OciLayout(const ImageDraft& draft) {
  Members members;
  members["oci-layout"] = R"({"imageLayoutVersion":"1.0.0"})";
  const std::string manifest = AddManifest(draft, &members);
  members["index.json"] =
      absl::StrCat(R"({"schemaVersion":2,"manifests":[)",
                   Descriptor("manifest.v1+json", manifest, NameAnnotation(draft.name)), "]}");
  return members;
}

inline Members DockerArchive(const ImageDraft& draft) {
  Members members;
  const std::string config = ConfigOf(draft);
  const std::string config_path = HexOf(Sha256Of(config)) + ".json";
  members[config_path] = config;
  std::vector<std::string> paths;
  for (size_t i = 0; i < draft.layers.size(); ++i) {
    const std::string path = absl::StrCat("layer", i, "/layer.tar");
    members[path] = Pack(draft.layers[i].tar, draft.layers[i].packing);
    paths.push_back(absl::StrCat("\"", path, "\""));
  }
  members["manifest.json"] =
      absl::StrCat(R"([{"Config":")", config_path, R"(","RepoTags":[")", draft.name,
                   R"("],"Layers":[)", absl::StrJoin(paths, ","), "]}]");
  return members;
}

}  // namespace cluster::node
