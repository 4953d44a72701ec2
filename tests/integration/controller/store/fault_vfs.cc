#include "tests/integration/controller/store/fault_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "base/mutex.h"

namespace cluster::store {
namespace {

constexpr size_t kSector = 512;

struct Change {
  bool truncate = false;
  size_t at = 0;
  std::string data;
};

struct Disk {
  std::string synced;
  std::deque<Change> since;
  int64_t written = 0;  // changes ever; the last since.size() of them are in `since`
};

Mutex g_mutex;
std::map<std::string, Disk>* Disks() {
  static auto* const disks = new std::map<std::string, Disk>;
  return disks;
}
std::atomic<bool> g_fail_syncs{false};

struct FaultFile {
  sqlite3_file base;
  std::string* path;  // nullptr for files without a name
  sqlite3_file* real;
};

FaultFile* Self(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file); }
sqlite3_file* Real(sqlite3_file* file) { return Self(file)->real; }

void Apply(const Change& change, std::string* content) {
  if (change.truncate) {
    content->resize(change.at);
    return;
  }
  if (content->size() < change.at + change.data.size()) {
    content->resize(change.at + change.data.size());
  }
  content->replace(change.at, change.data.size(), change.data);
}

void Note(sqlite3_file* file, Change change) {
  if (Self(file)->path == nullptr) return;
  MutexLock lock(&g_mutex);
  Disk& disk = (*Disks())[*Self(file)->path];
  disk.since.push_back(std::move(change));
  ++disk.written;
}

int Close(sqlite3_file* file) {
  const int code = Real(file)->pMethods->xClose(Real(file));
  delete Self(file)->path;
  sqlite3_free(Real(file));
  return code;
}
int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  return Real(file)->pMethods->xRead(Real(file), to, size, at);
}
int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  Change change;
  change.at = static_cast<size_t>(at);
  change.data.assign(static_cast<const char*>(from), static_cast<size_t>(size));
  Note(file, std::move(change));
  return Real(file)->pMethods->xWrite(Real(file), from, size, at);
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  Change change;
  change.truncate = true;
  change.at = static_cast<size_t>(size);
  Note(file, std::move(change));
  return Real(file)->pMethods->xTruncate(Real(file), size);
}
int Sync(sqlite3_file* file, int flags) {
  if (g_fail_syncs) return SQLITE_IOERR_FSYNC;
  // What was written before the sync began is safe when it returns. Another connection may sync the
  // same file at the same time.
  int64_t covered = 0;
  if (Self(file)->path != nullptr) {
    MutexLock lock(&g_mutex);
    covered = (*Disks())[*Self(file)->path].written;
  }
  const int code = Real(file)->pMethods->xSync(Real(file), flags);
  if (code == SQLITE_OK && Self(file)->path != nullptr) {
    MutexLock lock(&g_mutex);
    Disk& disk = (*Disks())[*Self(file)->path];
    while (disk.written - static_cast<int64_t>(disk.since.size()) < covered) {
      Apply(disk.since.front(), &disk.synced);
      disk.since.pop_front();
    }
  }
  return code;
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Real(file)->pMethods->xFileSize(Real(file), size);
}
int Lock(sqlite3_file* file, int level) { return Real(file)->pMethods->xLock(Real(file), level); }
int Unlock(sqlite3_file* file, int level) {
  return Real(file)->pMethods->xUnlock(Real(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* held) {
  return Real(file)->pMethods->xCheckReservedLock(Real(file), held);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return Real(file)->pMethods->xFileControl(Real(file), operation, argument);
}
int SectorSize(sqlite3_file*) { return static_cast<int>(kSector); }
// Claims nothing: no atomic writes, no order between them.
int DeviceCharacteristics(sqlite3_file*) { return 0; }
int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  return Real(file)->pMethods->xShmMap(Real(file), region, size, extend, memory);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return Real(file)->pMethods->xShmLock(Real(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int remove) {
  return Real(file)->pMethods->xShmUnmap(Real(file), remove);
}

const sqlite3_io_methods kMethods = {2,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     DeviceCharacteristics,
                                     ShmMap,
                                     ShmLock,
                                     ShmBarrier,
                                     ShmUnmap,
                                     nullptr,
                                     nullptr};

sqlite3_vfs* RealVfs(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

int OpenFile(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  sqlite3_vfs* real_vfs = RealVfs(vfs);
  auto* real =
      static_cast<sqlite3_file*>(sqlite3_malloc64(static_cast<sqlite3_uint64>(real_vfs->szOsFile)));
  std::memset(real, 0, static_cast<size_t>(real_vfs->szOsFile));
  const int code = real_vfs->xOpen(real_vfs, name, real, flags, out_flags);
  if (code != SQLITE_OK) {
    if (real->pMethods != nullptr) real->pMethods->xClose(real);
    sqlite3_free(real);
    return code;
  }
  Self(file)->base.pMethods = &kMethods;
  Self(file)->real = real;
  Self(file)->path = name == nullptr ? nullptr : new std::string(name);
  return SQLITE_OK;
}

int DeleteFile(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  {
    MutexLock lock(&g_mutex);
    Disks()->erase(name);
  }
  return RealVfs(vfs)->xDelete(RealVfs(vfs), name, sync_directory);
}

void WriteWhole(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace

const char* RegisterFaultVfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs made = *sqlite3_vfs_find(nullptr);
    made.pAppData = sqlite3_vfs_find(nullptr);
    made.zName = "fault";
    made.szOsFile = sizeof(FaultFile);
    made.xOpen = OpenFile;
    made.xDelete = DeleteFile;
    return made;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? vfs.zName : nullptr;
}

void FailSyncs(bool fail) { g_fail_syncs = fail; }

void ForgetFiles() {
  MutexLock lock(&g_mutex);
  Disks()->clear();
}

void CutPower(const std::string& from, const std::string& to, unsigned seed) {
  std::mt19937 random(seed);
  MutexLock lock(&g_mutex);
  for (const auto& [path, disk] : *Disks()) {
    if (std::filesystem::path(path).parent_path() != from) continue;
    std::string content = disk.synced;
    for (Change change : disk.since) {
      const unsigned fate = random() % 4;
      if (fate == 0) continue;
      if (fate == 1 && change.data.size() > kSector) {
        change.data.resize(kSector * (1 + random() % (change.data.size() / kSector)));
      }
      Apply(change, &content);
    }
    WriteWhole(to + "/" + std::filesystem::path(path).filename().string(), content);
  }
}

}  // namespace cluster::store
