// The streams of the fake: logs, commands and images.
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "fake_cluster.h"

namespace cluster::cli {

void FakeCluster::AppendLog(const std::string& container, const std::string& text) {
  const MutexLock lock(&mutex_);
  logs_[container].text += text;
  changed_.SignalAll();
}

void FakeCluster::EndLog(const std::string& container) {
  const MutexLock lock(&mutex_);
  logs_[container].ended = true;
  changed_.SignalAll();
}

void FakeCluster::AwaitFollowers(int count) {
  const MutexLock lock(&mutex_);
  while (followers_ < count) changed_.Wait(&mutex_);
}

v1::LogsRequest FakeCluster::last_logs() {
  const MutexLock lock(&mutex_);
  return last_logs_;
}
v1::ExecStart FakeCluster::last_exec() {
  const MutexLock lock(&mutex_);
  return last_exec_;
}
void FakeCluster::SetTar(std::string bytes) {
  const MutexLock lock(&mutex_);
  tar_ = std::move(bytes);
}
std::string FakeCluster::taken_tar() {
  const MutexLock lock(&mutex_);
  return taken_tar_;
}
v1::DeleteRequest FakeCluster::last_delete() {
  const MutexLock lock(&mutex_);
  return last_delete_;
}
std::string FakeCluster::loaded_archive() {
  const MutexLock lock(&mutex_);
  return archive_;
}
v1::LoadImageHeader FakeCluster::loaded_header() {
  const MutexLock lock(&mutex_);
  return header_;
}

grpc::Status FakeCluster::Logs(grpc::ServerContext* context, const v1::LogsRequest* request,
                               grpc::ServerWriter<v1::LogsResponse>* writer) {
  const std::string container = absl::StrCat(request->pod(), "/", request->container());
  mutex_.Lock();
  last_logs_ = *request;
  if (logs_.count(container) == 0) {
    mutex_.Unlock();
    return {grpc::StatusCode::FAILED_PRECONDITION,
            absl::StrCat("container \"", request->container(), "\" has not started yet")};
  }
  if (request->follow()) ++followers_;
  changed_.SignalAll();
  size_t sent = 0;
  while (!context->IsCancelled()) {
    const Log log = logs_[container];
    if (sent < log.text.size()) {
      mutex_.Unlock();
      v1::LogsResponse response;
      response.set_data(log.text.substr(sent));
      writer->Write(response);
      sent = log.text.size();
      mutex_.Lock();
    } else if (!request->follow() || log.ended) {
      break;
    } else {
      changed_.WaitFor(&mutex_, absl::Milliseconds(20));
    }
  }
  mutex_.Unlock();
  return grpc::Status::OK;
}

// On port 7 an echo listens that answers only once it has heard all, with the pod's name before it;
// on port 404 the pod is lost; nobody listens on any other.
grpc::Status FakeCluster::PortForward(
    grpc::ServerContext*,
    grpc::ServerReaderWriter<v1::PortForwardResponse, v1::PortForwardRequest>* stream) {
  v1::PortForwardRequest request;
  if (!stream->Read(&request) || !request.has_start()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "the first message must be start"};
  }
  const uint32_t port = request.start().port();
  if (port == 404) return {grpc::StatusCode::NOT_FOUND, "pod \"web-1\" not found"};
  if (port != 7) {
    return {grpc::StatusCode::UNAVAILABLE,
            absl::StrCat("connection refused: nobody listens on port ", port)};
  }
  std::string heard = absl::StrCat(request.start().namespace_(), "/", request.start().pod(), ":");
  while (stream->Read(&request) && !request.eof()) heard += request.data();
  v1::PortForwardResponse response;
  for (size_t at = 0; at < heard.size(); at += 1000) {
    response.set_data(heard.substr(at, 1000));
    stream->Write(response);
  }
  response.set_eof(true);
  stream->Write(response);
  return grpc::Status::OK;
}

// Whoever attaches finds a `cat`. Knows four commands: `cat` (stdin to stdout), `wc` (counts it),
// `exit N` (a word on stderr), `size` (each size of the terminal, until one has no rows to spare:
// one row ends it).
grpc::Status FakeCluster::Exec(
    grpc::ServerContext*, grpc::ServerReaderWriter<v1::ExecResponse, v1::ExecRequest>* stream) {
  v1::ExecRequest request;
  if (!stream->Read(&request) || !request.has_start()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "the first message must be start"};
  }
  const v1::ExecStart start = request.start();
  {
    const MutexLock lock(&mutex_);
    last_exec_ = start;
  }
  const std::string name = start.attach() ? "cat" : start.command(0);
  if (name == "missing") {
    return {grpc::StatusCode::FAILED_PRECONDITION, "exec missing: no such file in the container"};
  }
  v1::ExecResponse response;
  int code = 0;
  size_t bytes = 0;
  if (name == "exit") {
    response.set_stderr("bye\n");
    stream->Write(response);
    if (!absl::SimpleAtoi(start.command(1), &code)) code = 99;
  }
  while ((name == "cat" || name == "wc") && stream->Read(&request) && !request.stdin_eof()) {
    bytes += request.stdin().size();
    response.set_stdout(request.stdin());
    if (name == "cat") stream->Write(response);
  }
  if (name == "test") code = start.command(2) == "/directory" ? 0 : 1;
  if (name == "tar" && start.stdin()) {
    std::string taken;
    while (stream->Read(&request) && !request.stdin_eof()) taken += request.stdin();
    const MutexLock lock(&mutex_);
    taken_tar_ = std::move(taken);
  } else if (name == "tar" && start.command(5) == "./absent") {
    response.set_stderr("tar: ./absent: No such file or directory\n");
    stream->Write(response);
    code = 2;
  } else if (name == "tar") {
    const MutexLock lock(&mutex_);
    response.set_stdout(tar_);
    stream->Write(response);
  }
  if (name == "wc") {
    response.set_stdout(absl::StrCat(bytes, "\n"));
    stream->Write(response);
  }
  if (name == "size") {
    v1::TerminalSize size = start.size();
    while (true) {
      response.set_stdout(absl::StrCat(size.rows(), "x", size.columns(), "\r\n"));
      stream->Write(response);
      if (size.rows() == 1 || !stream->Read(&request)) break;
      if (request.has_resize()) size = request.resize();
    }
  }
  response.set_exit_code(code);
  stream->Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeCluster::LoadImage(grpc::ServerContext*,
                                    grpc::ServerReader<v1::LoadImageRequest>* reader,
                                    v1::LoadImageResponse* response) {
  v1::LoadImageRequest request;
  std::string archive;
  v1::LoadImageHeader header;
  while (reader->Read(&request)) {
    if (request.has_header()) header = request.header();
    archive += request.data();
    if (archive.substr(0, 3) == "bad") {
      return {grpc::StatusCode::INVALID_ARGUMENT, "bad.tar is not an image archive"};
    }
  }
  const MutexLock lock(&mutex_);
  header_ = header;
  archive_ = archive;
  v1::Image& image = *response->add_images();
  image.add_names("web:1");
  image.set_digest("sha256:abc");
  response->add_nodes("node1");
  response->add_nodes("node2");
  return grpc::Status::OK;
}

grpc::Status FakeCluster::ListImages(grpc::ServerContext*, const v1::ListImagesRequest*,
                                     v1::ListImagesResponse* response) {
  v1::Image& image = *response->add_images();
  image.add_names("web:1");
  image.add_names("web:latest");
  image.set_digest("sha256:0123456789abcdef");
  image.set_size_bytes(5 << 20);
  return grpc::Status::OK;
}

}  // namespace cluster::cli
