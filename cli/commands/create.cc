#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/targets.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct CreateJobFlags {
  std::string name;
  std::string from;
  std::string image;
};

// As if its time had come, but for the name, and marked as what it is.
void TakeTemplate(const v1::Object& owner, v1::Job* job) {
  const v1::JobTemplateSpec& job_template = owner.cron_job().spec().job_template();
  v1::ObjectMeta* meta = job->mutable_metadata();
  *meta->mutable_labels() = job_template.metadata().labels();
  *meta->mutable_annotations() = job_template.metadata().annotations();
  (*meta->mutable_annotations())["cronjob.kubernetes.io/instantiate"] = "manual";
  v1::OwnerReference* reference = meta->add_owner_references();
  reference->set_api_version(KindOf(owner).api_version);
  reference->set_kind(KindOf(owner).name);
  reference->set_name(Meta(owner).name());
  reference->set_uid(Meta(owner).uid());
  reference->set_controller(true);
  *job->mutable_spec() = job_template.spec();
}

absl::Status FillJob(Session& session, const CreateJobFlags& flags, v1::Job* job) {
  if (flags.from.empty() == flags.image.empty()) {
    return UsageError("say what it runs: --from=cronjob/NAME, or --image IMAGE");
  }
  if (!flags.from.empty()) {
    if (!session.trailing().empty()) {
      return UsageError("the command is that of the CronJob; leave out what comes after --");
    }
    ASSIGN_OR_RETURN(const Target target, ParseOneTarget({flags.from}));
    if (target.kind->name != "CronJob") {
      return UsageError(absl::StrCat("--from=", flags.from, " is no cronjob/NAME"));
    }
    ASSIGN_OR_RETURN(const v1::Object owner, FetchOne(session, target));
    TakeTemplate(owner, job);
    return absl::OkStatus();
  }
  v1::PodSpec* spec = job->mutable_spec()->mutable_template_()->mutable_spec();
  spec->set_restart_policy(v1::RESTART_POLICY_NEVER);
  v1::Container* container = spec->add_containers();
  container->set_name(flags.name);
  container->set_image(flags.image);
  for (const std::string& word : session.trailing()) container->add_command(word);
  return absl::OkStatus();
}

absl::Status CreateJob(Session& session, const CreateJobFlags& flags) {
  v1::Object object = NewObject(*FindKind("Job"));
  v1::Job* job = object.mutable_job();
  RETURN_IF_ERROR(FillJob(session, flags, job));
  job->mutable_metadata()->set_name(flags.name);
  job->mutable_metadata()->set_namespace_(session.name_space());
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const auto there = client->Get("Job", session.name_space(), flags.name);
  if (there.ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat("job ", flags.name, " exists; delete it or choose another name"));
  }
  if (!absl::IsNotFound(there.status())) return there.status();
  v1::ApplyRequest request;
  *request.add_objects() = std::move(object);
  RETURN_IF_ERROR(client->Apply(std::move(request)).status());
  session.out() << "job/" << flags.name << " created\n";
  session.out().flush();
  return absl::OkStatus();
}

}  // namespace

void AddCreate(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(app, "create", "Makes an object from what the flags say",
                                 "clusterctl create job backup-now --from=cronjob/backup");
  command->require_subcommand(1);
  CLI::App* job = AddCommand(*command, "job", "Makes a job, or runs a CronJob's now",
                             "clusterctl create job backup-now --from=cronjob/backup\n"
                             "clusterctl create job once --image web:1 -- date");
  auto flags = std::make_shared<CreateJobFlags>();
  job->add_option("name", flags->name, "NAME, then -- COMMAND...")->required();
  job->add_option("--from", flags->from, "cronjob/NAME: what its next job would run");
  job->add_option("--image", flags->image, "Image of the one container");
  session.OnCommand(
      job, [&session, flags] { return CreateJob(session, *flags); }, /*takes_trailing=*/true);
}

}  // namespace cluster::cli
