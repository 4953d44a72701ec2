#include "node/oci/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json_number.h"
#include "base/status.h"
#include "node/init/sys.h"

namespace cluster::oci {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr char kStateFile[] = "state.json";
constexpr char kConfigFile[] = "config.json";
constexpr char kStartSocket[] = "start";
constexpr size_t kMaxId = 255;
constexpr int kStateVersion = 1;

// Text from outside may be any bytes; what is no UTF-8 becomes U+FFFD.
std::string Dump(const OrderedJson& json, int indent) {
  return json.dump(indent, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace

std::string EncodeState(const State& state) {
  OrderedJson json = {{"version", kStateVersion},
                      {"ociVersion", state.version},
                      {"id", state.id},
                      {"pid", state.pid},
                      {"startTime", state.start_time},
                      {"bootId", state.boot_id},
                      {"created", state.created},
                      {"bundle", state.bundle},
                      {"rootfs", state.rootfs},
                      {"annotations", state.annotations},
                      {"cgroup", state.cgroup},
                      {"owner", state.owner},
                      {"ownPidNamespace", state.own_pid_namespace}};
  return Dump(json, -1);
}

absl::StatusOr<State> DecodeState(const std::string& text) {
  try {
    const OrderedJson json = OrderedJson::parse(text);
    if (WholeNumber<int>(json.at("version")) != kStateVersion) {
      return absl::InternalError("state.json was written by another version of this program");
    }
    State state;
    json.at("ociVersion").get_to(state.version);
    json.at("id").get_to(state.id);
    state.pid = WholeNumber<int>(json.at("pid"));
    state.start_time = WholeNumber<uint64_t>(json.at("startTime"));
    json.at("bootId").get_to(state.boot_id);
    json.at("created").get_to(state.created);
    json.at("bundle").get_to(state.bundle);
    json.at("rootfs").get_to(state.rootfs);
    json.at("annotations").get_to(state.annotations);
    json.at("cgroup").get_to(state.cgroup);
    json.at("owner").get_to(state.owner);
    json.at("ownPidNamespace").get_to(state.own_pid_namespace);
    return state;
  } catch (const OrderedJson::exception& error) {
    return absl::InternalError(absl::StrCat("state.json is damaged: ", error.what()));
  }
}

const char* StatusName(Status status) {
  switch (status) {
    case Status::kCreating:
      return "creating";
    case Status::kCreated:
      return "created";
    case Status::kRunning:
      return "running";
    case Status::kPaused:
      return "paused";
    case Status::kStopped:
      return "stopped";
  }
  return "unknown";
}

std::string StateForPeople(const State& state, Status status) {
  OrderedJson json = {{"ociVersion", state.version},
                      {"id", state.id},
                      {"pid", status == Status::kStopped ? 0 : state.pid},
                      {"status", StatusName(status)},
                      {"bundle", state.bundle},
                      {"rootfs", state.rootfs},
                      {"created", state.created},
                      {"owner", state.owner}};
  if (!state.annotations.empty()) json["annotations"] = state.annotations;
  return Dump(json, 2);
}

absl::Status CheckId(const std::string& id) {
  const auto safe = [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '+' || c == '.' || c == '-';
  };
  if (!id.empty() && id.size() <= kMaxId && id[0] != '.' && id[0] != '-' &&
      std::all_of(id.begin(), id.end(), safe)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "a container's ID is at most 255 letters, digits and _ + . -, the first not '.' or '-'");
}

absl::StatusOr<ContainerDirectory> ContainerDirectory::Create(const std::string& root,
                                                              const std::string& id) {
  RETURN_IF_ERROR(MakeDirectories(root, 0700));
  ASSIGN_OR_RETURN(UniqueFd root_fd, OpenAt(AT_FDCWD, root, O_PATH | O_DIRECTORY));
  if (::mkdirat(root_fd.get(), id.c_str(), 0700) != 0) {
    if (errno != EEXIST) return ErrnoStatus("mkdir", absl::StrCat(root, "/", id));
    return absl::AlreadyExistsError(absl::StrCat("container ", id, " exists already"));
  }
  ASSIGN_OR_RETURN(UniqueFd directory,
                   OpenAt(root_fd.get(), id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  ContainerDirectory made(std::move(root_fd), std::move(directory), id);
  RETURN_IF_ERROR(made.Lock());
  return made;
}

absl::StatusOr<ContainerDirectory> ContainerDirectory::Open(const std::string& root,
                                                            const std::string& id) {
  const absl::Status unknown =
      absl::NotFoundError(absl::StrCat("container ", id, " does not exist"));
  const auto root_fd = OpenAt(AT_FDCWD, root, O_PATH | O_DIRECTORY);
  if (absl::IsNotFound(root_fd.status())) return unknown;
  RETURN_IF_ERROR(root_fd.status());
  auto directory = OpenAt(root_fd->get(), id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (absl::IsNotFound(directory.status())) return unknown;
  RETURN_IF_ERROR(directory.status());
  UniqueFd own_root(::fcntl(root_fd->get(), F_DUPFD_CLOEXEC, 3));
  if (!own_root) return ErrnoStatus("duplicate descriptor of", root);
  return ContainerDirectory(std::move(own_root), *std::move(directory), id);
}

absl::StatusOr<std::vector<std::string>> ContainerDirectory::List(const std::string& root) {
  std::vector<std::string> ids;
  DIR* stream = ::opendir(root.c_str());
  if (stream == nullptr && errno == ENOENT) return ids;
  if (stream == nullptr) return ErrnoStatus("list", root);
  while (const dirent* entry = ::readdir(stream)) {
    if (entry->d_type == DT_DIR && CheckId(entry->d_name).ok()) ids.emplace_back(entry->d_name);
  }
  ::closedir(stream);
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::Status ContainerDirectory::Lock() {
  int result;
  do {
    result = ::flock(directory_.get(), LOCK_EX);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return ErrnoStatus("lock container", id_);
  return absl::OkStatus();
}

absl::Status ContainerDirectory::Write(const char* name, const std::string& text) {
  const std::string temporary = absl::StrCat(name, ".tmp");
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(directory_.get(), temporary,
                                       O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  RETURN_IF_ERROR(Annotate(WriteAll(fd.get(), text), name));
  if (::renameat(directory_.get(), temporary.c_str(), directory_.get(), name) != 0) {
    return ErrnoStatus("rename", temporary);
  }
  return absl::OkStatus();
}

absl::Status ContainerDirectory::WriteState(const State& state) {
  return Write(kStateFile, EncodeState(state));
}

absl::StatusOr<State> ContainerDirectory::ReadState() const {
  const auto text = ReadFileAt(directory_.get(), kStateFile);
  if (!text.ok()) return Annotate(text.status(), absl::StrCat("container ", id_));
  auto state = DecodeState(*text);
  if (!state.ok()) return Annotate(state.status(), absl::StrCat("container ", id_));
  return state;
}

absl::Status ContainerDirectory::WriteConfig(const std::string& text) {
  return Write(kConfigFile, text);
}

absl::StatusOr<std::string> ContainerDirectory::ReadConfig() const {
  return ReadFileAt(directory_.get(), kConfigFile);
}

bool ContainerDirectory::AwaitsStart() const {
  return ::faccessat(directory_.get(), kStartSocket, F_OK, 0) == 0;
}

absl::Status ContainerDirectory::ForgetStart() {
  if (::unlinkat(directory_.get(), kStartSocket, 0) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return ErrnoStatus("remove the start socket of container", id_);
}

std::string ContainerDirectory::StartSocketPath() const {
  return absl::StrCat("/proc/self/fd/", directory_.get(), "/", kStartSocket);
}

absl::Status ContainerDirectory::Remove() {
  for (const char* name :
       {kStateFile, kConfigFile, kStartSocket, "state.json.tmp", "config.json.tmp"}) {
    if (::unlinkat(directory_.get(), name, 0) != 0 && errno != ENOENT) {
      return ErrnoStatus("remove", absl::StrCat(id_, "/", name));
    }
  }
  if (::unlinkat(root_.get(), id_.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return ErrnoStatus("remove the directory of container", id_);
  }
  return absl::OkStatus();
}

uint64_t StartTimeOf(int pid) {
  const auto text = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  if (!text.ok()) return 0;
  // "PID (NAME) STATE ...": the name may hold anything, also ") ".
  const size_t end = text->rfind(") ");
  if (end == std::string::npos) return 0;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(*text).substr(end + 2), ' ');
  uint64_t start = 0;
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return 0;
  return absl::SimpleAtoi(fields[19], &start) ? start : 0;
}

absl::StatusOr<std::string> BootId() {
  ASSIGN_OR_RETURN(const std::string text, ReadFile("/proc/sys/kernel/random/boot_id"));
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusOr<UniqueFd> OpenProcess(const State& state) {
  const absl::Status ended =
      absl::NotFoundError(absl::StrCat("container ", state.id, " is not running"));
  if (state.pid <= 0) return ended;
  UniqueFd process(init::PidfdOpen(state.pid));
  if (!process && errno == ESRCH) return ended;
  if (!process) return ErrnoStatus("pidfd_open", absl::StrCat(state.pid));
  // After the descriptor: from here on the pid cannot become another's unseen.
  if (StartTimeOf(state.pid) != state.start_time) return ended;
  ASSIGN_OR_RETURN(const std::string boot, BootId());
  if (boot != state.boot_id) return ended;
  return process;
}

}  // namespace cluster::oci
