#include "node/runtime/pod_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

#include "base/file.h"
#include "base/json_number.h"
#include "base/status.h"
#include "node/init/text.h"
#include "node/runtime/id_ranges.h"

namespace cluster::node {
namespace {

using nlohmann::json;

// Of a sandbox's record. A field that older programs may leave out needs no other one.
constexpr int kSandboxVersion = 1;

json ResourcesToJson(const Resources& r) {
  json disks = json::array();
  for (const DiskLimit& disk : r.disks) {
    disks.push_back({disk.device, disk.major, disk.minor, disk.read_bytes_per_second,
                     disk.write_bytes_per_second, disk.reads_per_second, disk.writes_per_second});
  }
  json hugepages = json::array();
  for (const auto& [page, bytes] : r.hugepages) hugepages.push_back({page, bytes});
  return json::array({r.cpu_request_milli, r.cpu_limit_milli, r.memory_request, r.memory_limit,
                      r.pids_limit, hugepages, r.memory_high, r.io_weight, disks});
}

int64_t Amount(const json& j) { return WholeNumber<int64_t>(j); }

Resources ResourcesFromJson(const json& j) {
  Resources r;
  r.cpu_request_milli = Amount(j.at(0));
  r.cpu_limit_milli = Amount(j.at(1));
  r.memory_request = Amount(j.at(2));
  r.memory_limit = Amount(j.at(3));
  r.pids_limit = Amount(j.at(4));
  // A record of an earlier version ends here.
  if (j.size() == 5) return r;
  for (const json& pages : j.at(5)) r.hugepages[pages.at(0)] = Amount(pages.at(1));
  r.memory_high = Amount(j.at(6));
  r.io_weight = WholeNumber<decltype(r.io_weight)>(j.at(7));
  for (const json& d : j.at(8)) {
    r.disks.push_back({d.at(0), WholeNumber<uint32_t>(d.at(1)), WholeNumber<uint32_t>(d.at(2)),
                       Amount(d.at(3)), Amount(d.at(4)), Amount(d.at(5)), Amount(d.at(6))});
  }
  return r;
}

// Owners that a user namespace has no id for become its root.
uint32_t MapId(uint32_t id, uint32_t first_id) {
  if (first_id == 0) return id;
  return id < kIdsOfPod ? first_id + id : first_id;
}

std::vector<std::string> ListDirectory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  return names;
}

// The canonical name first (hosts(5)).
std::string OwnNames(const SandboxSpec& spec) {
  if (spec.domain_name.empty()) return spec.hostname;
  if (spec.domain_name != spec.hostname) {
    return absl::StrCat(spec.domain_name, "\t", spec.hostname);
  }
  return absl::StrCat(spec.domain_name, "\t",
                      spec.domain_name.substr(0, spec.domain_name.find('.')));
}

}  // namespace

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  const std::string text(name);
  if (text.size() == name.size() && text.find('\0') == std::string::npos &&
      init::IsSafeName(text.c_str())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      what, " '", absl::string_view(text).substr(0, 64),
      "' must be 1 to 128 letters, digits, '_', '+', '.' or '-', the first not '.' or '-'"));
}

PodDirectory::PodDirectory(const std::string& state_dir, const std::string& run_dir,
                           const std::string& uid)
    : state_(absl::StrCat(state_dir, "/pods/", uid)), run_(absl::StrCat(run_dir, "/pods/", uid)) {}

std::string PodDirectory::instance(const std::string& container, int32_t attempt) const {
  return absl::StrCat(state_, "/containers/", container, "/", attempt);
}

absl::Status PodDirectory::Make(bool* fresh) const {
  *fresh = true;
  for (const std::string& path : {state_, run_}) {
    if (mkdir(path.c_str(), 0700) == 0) continue;
    if (errno != EEXIST) return ErrnoStatus("mkdir", path);
    *fresh = false;
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> PodDirectory::OpenRun() const {
  return OpenAt(AT_FDCWD, run_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

absl::Status PodDirectory::WriteSandbox(const SandboxSpec& spec) const {
  return ReplaceFile(state_ + "/sandbox", EncodeSandbox(spec), 0600);
}

absl::StatusOr<SandboxSpec> PodDirectory::ReadSandbox() const {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(state_ + "/sandbox"));
  return DecodeSandbox(text);
}

absl::Status PodDirectory::WriteEtc(const SandboxSpec& spec, const std::string& ip) const {
  if (mkdir(etc().c_str(), 0755) != 0 && errno != EEXIST) return ErrnoStatus("mkdir", etc());
  std::string hosts =
      spec.host_network
          ? ReadFile("/etc/hosts").value_or("")  // the node's names; it may have none
          : absl::StrCat("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n", ip,
                         "\t", OwnNames(spec), "\n");
  for (const std::string& line : spec.extra_hosts_lines) absl::StrAppend(&hosts, line, "\n");
  const uint32_t owner = ReadFirstId().value_or(0);
  const std::pair<const char*, std::string> files[] = {
      {"/hosts", hosts}, {"/hostname", spec.hostname + "\n"}, {"/resolv.conf", spec.resolv_conf}};
  for (const auto& [name, content] : files) {
    // In place: nobody reads them before the pod is marked ready.
    const std::string path = etc() + name;
    RETURN_IF_ERROR(WriteNewFile(path, content, 0644));
    if (owner != 0 && chown(path.c_str(), owner, owner) != 0) return ErrnoStatus("chown", path);
  }
  return absl::OkStatus();
}

absl::Status PodDirectory::RecordFirstId(uint32_t first_id) const {
  const std::string link = state_ + "/ids";
  if (symlink(absl::StrCat(first_id).c_str(), link.c_str()) != 0) {
    return ErrnoStatus("record", link);
  }
  return absl::OkStatus();
}

std::optional<uint32_t> PodDirectory::ReadFirstId() const {
  char text[16];
  const ssize_t length = readlink((state_ + "/ids").c_str(), text, sizeof text);
  uint32_t first_id = 0;
  if (length <= 0 ||
      !absl::SimpleAtoi(absl::string_view(text, static_cast<size_t>(length)), &first_id)) {
    return std::nullopt;
  }
  return first_id;
}

absl::Status PodDirectory::ForgetFirstId() const {
  const std::string link = state_ + "/ids";
  if (unlink(link.c_str()) != 0 && errno != ENOENT) return ErrnoStatus("unlink", link);
  return absl::OkStatus();
}

bool PodDirectory::IsReleased() const { return access((state_ + "/released").c_str(), F_OK) == 0; }

absl::Status PodDirectory::MarkReleased() const {
  const absl::Status marked = WriteFileDurably(state_ + "/released", "");
  return absl::IsNotFound(marked) ? absl::OkStatus() : marked;
}

bool PodDirectory::IsReady() const { return access(ready().c_str(), F_OK) == 0; }

absl::Status PodDirectory::MarkReady() const { return WriteNewFile(ready(), "", 0600); }

absl::StatusOr<int64_t> PodDirectory::SandboxBirth() const {
  const std::string path = run_ + "/init.sock";
  struct stat socket {};
  if (stat(path.c_str(), &socket) != 0) return ErrnoStatus("stat", path);
  return absl::ToInt64Nanoseconds(absl::DurationFromTimespec(socket.st_mtim));
}

absl::Status PodDirectory::MakeInstance(const std::string& container, int32_t attempt,
                                        const std::string& top_layer, uint32_t first_id) const {
  const std::string instance_path = instance(container, attempt);
  const std::string upper = instance_path + "/upper";
  for (const std::string& path : {state_ + "/containers", state_ + "/containers/" + container,
                                  instance_path, upper, instance_path + "/work"}) {
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus("mkdir", path);
  }
  struct stat root {};
  if (stat(top_layer.c_str(), &root) != 0) return ErrnoStatus("stat", top_layer);
  const uid_t uid = MapId(root.st_uid, first_id);
  const gid_t gid = MapId(root.st_gid, first_id);
  if ((uid != 0 || gid != 0) && chown(upper.c_str(), uid, gid) != 0) {
    return ErrnoStatus("chown", upper);
  }
  if (chmod(upper.c_str(), root.st_mode & 07777) != 0) return ErrnoStatus("chmod", upper);
  return absl::OkStatus();
}

std::map<std::string, std::vector<int32_t>> PodDirectory::ListInstances() const {
  std::map<std::string, std::vector<int32_t>> instances;
  for (const std::string& container : ListDirectory(state_ + "/containers")) {
    std::vector<int32_t>& attempts = instances[container];
    for (const std::string& name : ListDirectory(absl::StrCat(state_, "/containers/", container))) {
      int32_t attempt = 0;
      if (absl::SimpleAtoi(name, &attempt)) attempts.push_back(attempt);
    }
    std::sort(attempts.begin(), attempts.end());
  }
  return instances;
}

absl::Status PodDirectory::RemoveInstance(const std::string& container, int32_t attempt) const {
  const std::string log = absl::StrCat(attempt, ".log");
  for (const std::string& name : ListDirectory(logs(container))) {
    if (name != log && !absl::StartsWith(name, log + ".")) continue;
    const std::string path = logs(container) + "/" + name;
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus("unlink", path);
  }
  // Last: while it is there, it is known that there is something to remove.
  return RemoveTree(instance(container, attempt));
}

std::optional<ContainerState> PodDirectory::ReadInstance(const std::string& container,
                                                         int32_t attempt) const {
  ContainerState state;
  state.name = container;
  state.attempt = attempt;
  const std::string path = instance(container, attempt);
  auto ended = ReadFile(path + "/exit");
  if (ended.ok() && ParseInstanceFile(*ended, &state)) {
    state.phase = ContainerPhase::kExited;
    return state;
  }
  auto started = ReadFile(path + "/started");
  if (!started.ok()) return std::nullopt;
  ParseInstanceFile(*started, &state);
  state.phase = ContainerPhase::kUnknown;
  state.message = "its cluster-init ended before it did, so nobody saw how it ended";
  return state;
}

absl::StatusOr<std::string> PodDirectory::ReadTermination(const std::string& container,
                                                          int32_t attempt) const {
  constexpr off_t kMost = 4096;
  const std::string path = absl::StrCat(instance(container, attempt), "/", kTerminationFile);
  auto fd = OpenAt(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW);
  if (absl::IsNotFound(fd.status())) return std::string();
  RETURN_IF_ERROR(fd.status());
  struct stat info {};
  if (fstat(fd->get(), &info) != 0) return ErrnoStatus("stat", path);
  std::string text(static_cast<size_t>(std::min(info.st_size, kMost)), 0);
  const off_t from = info.st_size - static_cast<off_t>(text.size());
  const ssize_t got = pread(fd->get(), text.data(), text.size(), from);
  if (got < 0) return ErrnoStatus("read", path);
  text.resize(static_cast<size_t>(got));
  return text;
}

absl::Status PodDirectory::WriteExit(const ContainerState& state) const {
  const std::string text = absl::StrCat(
      "pid ", state.pid, "\nstarted ", absl::ToUnixNanos(state.started_at), "\nfinished ",
      absl::ToUnixNanos(state.finished_at), "\ncode ", state.exit_code, "\nsignal ", state.signal,
      "\noom ", state.oom_killed ? 1 : 0, "\nmessage ", state.message, "\n");
  return WriteFileDurably(instance(state.name, state.attempt) + "/exit", text);
}

std::string PodDirectory::Complaints() const {
  std::string text = ReadFile(init_log()).value_or("");
  if (text.size() > 500) text = text.substr(text.size() - 500);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

absl::StatusOr<std::string> MakeSkeleton(const std::string& state_dir) {
  const std::string skeleton = state_dir + "/skeleton";
  for (const char* part : {"", "/dev", "/etc", "/proc", "/sys"}) {
    const std::string path = skeleton + part;
    if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoStatus("mkdir", path);
    if (chmod(path.c_str(), 0755) != 0) return ErrnoStatus("chmod", path);
  }
  for (const char* name : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}) {
    RETURN_IF_ERROR(WriteNewFile(skeleton + name, "", 0644));
  }
  return skeleton;
}

bool ParseInstanceFile(absl::string_view text, ContainerState* state) {
  bool has_pid = false;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    int64_t number = 0;
    const bool numeric = absl::SimpleAtoi(field.second, &number);
    if (field.first == "message") state->message = std::string(field.second);
    if (!numeric) continue;
    if (field.first == "pid") {
      state->pid = static_cast<int32_t>(number);
      has_pid = true;
    } else if (field.first == "started") {
      state->started_at = absl::FromUnixNanos(number);
    } else if (field.first == "finished") {
      state->finished_at = absl::FromUnixNanos(number);
    } else if (field.first == "code") {
      state->exit_code = static_cast<int32_t>(number);
    } else if (field.first == "signal") {
      state->signal = static_cast<int32_t>(number);
    } else if (field.first == "oom") {
      state->oom_killed = number != 0;
    }
  }
  return has_pid;
}

std::string EncodeSandbox(const SandboxSpec& spec) {
  json ports = json::array();
  for (const HostPort& port : spec.host_ports) {
    ports.push_back({port.host_ip, port.host_port, port.container_port, port.protocol});
  }
  const json record = {{"version", kSandboxVersion},
                       {"uid", spec.uid},
                       {"namespace", spec.name_space},
                       {"name", spec.name},
                       {"hostname", spec.hostname},
                       {"domainName", spec.domain_name},
                       {"qos", static_cast<int>(spec.qos)},
                       {"resources", ResourcesToJson(spec.resources)},
                       {"hostPorts", ports},
                       {"hosts", spec.extra_hosts_lines},
                       {"resolvConf", spec.resolv_conf},
                       {"hostUsers", spec.host_users},
                       {"hostNetwork", spec.host_network},
                       {"hostPid", spec.host_pid},
                       {"hostIpc", spec.host_ipc},
                       {"shareProcesses", spec.share_process_namespace},
                       {"sysctls", spec.sysctls}};
  return record.dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<SandboxSpec> DecodeSandbox(absl::string_view text) {
  // The library reports by exception only; none leaves this function.
  try {
    const json record = json::parse(text.begin(), text.end());
    const auto format = record.find("version");
    const int version = format == record.end() ? kSandboxVersion : WholeNumber<int>(*format);
    if (version > kSandboxVersion) {
      return absl::FailedPreconditionError(
          absl::StrCat("its record is of format ", version, ", and this version reads ",
                       kSandboxVersion, "; start the version that made the pod"));
    }
    SandboxSpec spec;
    spec.uid = record.at("uid");
    spec.name_space = record.at("namespace");
    spec.name = record.at("name");
    spec.hostname = record.at("hostname");
    // Pods from before there was DNS have none.
    spec.domain_name = record.value("domainName", "");
    spec.qos = static_cast<Qos>(WholeNumber<int>(record.at("qos")));
    spec.resources = ResourcesFromJson(record.at("resources"));
    for (const json& port : record.at("hostPorts")) {
      spec.host_ports.push_back({port.at(0), WholeNumber<uint16_t>(port.at(1)),
                                 WholeNumber<uint16_t>(port.at(2)), port.at(3)});
    }
    for (const json& line : record.at("hosts")) spec.extra_hosts_lines.push_back(line);
    spec.resolv_conf = record.at("resolvConf");
    // Pods from before there were user namespaces have none.
    spec.host_users = record.value("hostUsers", true);
    spec.host_network = record.value("hostNetwork", false);
    spec.host_pid = record.value("hostPid", false);
    spec.host_ipc = record.value("hostIpc", false);
    spec.share_process_namespace = record.value("shareProcesses", false);
    spec.sysctls = record.value("sysctls", spec.sysctls);
    return spec;
  } catch (const json::exception& problem) {
    return absl::DataLossError(absl::StrCat("sandbox record: ", problem.what()));
  }
}

absl::Status WriteNewFile(const std::string& path, absl::string_view content, unsigned mode) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  RETURN_IF_ERROR(Annotate(WriteAll(fd.get(), content), path));
  // Whatever the agent's umask is: these are read inside of containers.
  if (fchmod(fd.get(), mode) != 0) return ErrnoStatus("chmod", path);
  return absl::OkStatus();
}

absl::Status ReplaceFile(const std::string& path, absl::string_view content, unsigned mode) {
  const std::string temporary = path + ".tmp";
  RETURN_IF_ERROR(WriteNewFile(temporary, content, mode));
  if (rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus("rename", temporary);
  return absl::OkStatus();
}

}  // namespace cluster::node
