#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/commands/image_source.h"
#include "cli/output/duration.h"
#include "cli/output/table.h"

#include "base/status.h"
#include "proto/schema/printer.h"

namespace cluster::cli {
namespace {

struct ImageFlags {
  std::string file;
  std::string name;
  std::string output;
  absl::Duration timeout = absl::Minutes(10);
};

// How much has been sent, on one line that it overwrites; nothing where nobody looks.
class SentLine {
 public:
  explicit SentLine(Session& session) : session_(session) {}
  ~SentLine() {
    if (shown_) session_.err() << "\r\033[K" << std::flush;
  }
  SentLine(const SentLine&) = delete;
  SentLine& operator=(const SentLine&) = delete;

  void Add(size_t bytes) {
    sent_ += bytes;
    if (!session_.terminal().err_is_terminal || sent_ - drawn_ < kStep) return;
    Draw(absl::StrFormat("sent %d MiB", sent_ >> 20));
  }
  void Draw(const std::string& text) {
    if (!session_.terminal().err_is_terminal) return;
    session_.err() << "\r\033[K" << text << std::flush;
    drawn_ = sent_;
    shown_ = true;
  }

 private:
  static constexpr size_t kStep = size_t{4} << 20;
  Session& session_;
  size_t sent_ = 0;
  size_t drawn_ = 0;
  bool shown_ = false;
};

void PrintLoaded(Session& session, const v1::LoadImageResponse& response) {
  for (const v1::Image& image : response.images()) {
    session.out() << "loaded "
                  << (image.names().empty() ? image.digest() : absl::StrJoin(image.names(), ", "))
                  << " (" << image.digest() << ") on " << absl::StrJoin(response.nodes(), ", ")
                  << "\n";
  }
}

absl::Status Load(Session& session, const ImageFlags& flags) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  grpc::ClientContext context;
  if (flags.timeout > absl::ZeroDuration()) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + flags.timeout));
  }
  v1::LoadImageResponse response;
  const auto writer = client->stub().LoadImage(&context, &response);
  v1::LoadImageRequest request;
  request.mutable_header()->set_file_name(flags.file);
  request.mutable_header()->set_image_name(flags.name);
  SentLine line(session);
  bool open = writer->Write(request);
  const absl::Status read = ReadImage(flags.file, [&](absl::string_view data) {
    request.set_data(std::string(data));
    open = open && writer->Write(request);
    line.Add(data.size());
    return open;
  });
  // A file that cannot be read is the reason; a stream that broke has its own.
  if (!read.ok() && open) {
    context.TryCancel();
    writer->Finish();
    return read;
  }
  writer->WritesDone();
  line.Draw("waiting for the nodes to unpack");
  const grpc::Status status = writer->Finish();
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::DeadlineExceededError(
        absl::StrCat("the image was not on every node within ", absl::FormatDuration(flags.timeout),
                     ": look at clusterctl get nodes, or raise --timeout"));
  }
  RETURN_IF_ERROR(client->ToStatus(status));
  PrintLoaded(session, response);
  return absl::OkStatus();
}

std::string SizeText(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, "B");
  const double kib = static_cast<double>(bytes) / 1024;
  if (kib < 1024) return absl::StrFormat("%.1fKiB", kib);
  if (kib < 1024 * 1024) return absl::StrFormat("%.1fMiB", kib / 1024);
  return absl::StrFormat("%.2fGiB", kib / 1024 / 1024);
}

absl::Status ListImages(Session& session, const ImageFlags& flags) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const v1::ListImagesResponse response, client->ListImages());
  if (flags.output == "json") {
    Json list = Json::array();
    for (const v1::Image& image : response.images()) list.push_back(ToJson(image));
    session.out() << PrintJson(list);
    return absl::OkStatus();
  }
  if (!flags.output.empty()) return UsageError("only -o json is here");
  std::vector<Cells> rows = {{"NAME", "DIGEST", "SIZE", "CREATED"}};
  for (const v1::Image& image : response.images()) {
    std::vector<std::string> names(image.names().begin(), image.names().end());
    if (names.empty()) names.emplace_back("<none>");
    for (const std::string& name : names) {
      const std::string created = image.created().seconds() == 0
                                      ? "<unknown>"
                                      : absl::StrCat(Age(image.created(), session.Now()), " ago");
      rows.push_back({name, image.digest().substr(0, 19), SizeText(image.size_bytes()), created});
    }
  }
  Table(session.out()).Print(rows);
  return absl::OkStatus();
}

}  // namespace

void AddImage(CLI::App& app, Session& session) {
  CLI::App* image = AddCommand(app, "image", "Makes container images known to the cluster",
                               "clusterctl image load web.tar\nclusterctl image ls");
  image->require_subcommand(1);
  auto flags = std::make_shared<ImageFlags>();
  CLI::App* load = AddCommand(*image, "load",
                              "Loads an OCI layout (folder or tar) or a docker save archive onto "
                              "every node",
                              "clusterctl image load web.tar\n"
                              "clusterctl image load ./oci-layout --name web:1");
  load->add_option("file", flags->file, "FILE, DIR or - (standard input)")->required();
  load->add_option("--name", flags->name, "Name for an archive that carries none: name:tag");
  AddDurationOption(*load, "--timeout", flags->timeout,
                    "How long until it is on every node (default: 10m)");
  session.OnCommand(load, [&session, flags] { return Load(session, *flags); });
  CLI::App* list =
      AddCommand(*image, "ls", "Prints the images that the cluster knows", "clusterctl image ls");
  list->add_option("-o,--output", flags->output, "json");
  session.OnCommand(list, [&session, flags] { return ListImages(session, *flags); });
}

}  // namespace cluster::cli
