#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;

class CreateTest : public CommandTest {
 protected:
  CreateTest() {
    Put("apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: backup}\nspec:\n"
        "  schedule: '@daily'\n  jobTemplate:\n    metadata: {labels: {app: backup}}\n    spec:\n"
        "      backoffLimit: 2\n      template:\n        spec:\n"
        "          restartPolicy: Never\n          containers: [{name: main, image: app:1}]\n");
  }
};

TEST_F(CreateTest, AJobRunsWhatTheCronJobWould) {
  const Outcome outcome = Run({"create", "job", "now", "--from=cronjob/backup"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "job/now created\n");
  const v1::Job job = cluster_.Stored("jobs/default/now").job();
  EXPECT_EQ(job.spec().backoff_limit(), 2);
  EXPECT_EQ(job.metadata().labels().at("app"), "backup");
  EXPECT_EQ(job.metadata().annotations().at("cronjob.kubernetes.io/instantiate"), "manual");
  EXPECT_EQ(job.metadata().owner_references(0).name(), "backup");
  EXPECT_TRUE(job.metadata().owner_references(0).controller());
}

TEST_F(CreateTest, AJobOfOneCommand) {
  EXPECT_EQ(Run({"create", "job", "once", "--image", "app:1", "--", "date", "-u"}).code, 0);
  const v1::PodSpec spec = cluster_.Stored("jobs/default/once").job().spec().template_().spec();
  EXPECT_EQ(spec.restart_policy(), v1::RESTART_POLICY_NEVER);
  EXPECT_EQ(spec.containers(0).command(1), "-u");
}

TEST_F(CreateTest, Refusals) {
  EXPECT_EQ(Run({"create", "job", "now"}).code, 2);
  EXPECT_EQ(Run({"create", "job", "now", "--from=deploy/backup"}).code, 2);
  EXPECT_EQ(Run({"create", "job", "now", "--from=cronjob/backup", "--image", "a:1"}).code, 2);
  EXPECT_EQ(Run({"create", "job", "now", "--from=cronjob/backup", "--", "sh"}).code, 2);
  EXPECT_EQ(Run({"create", "job", "now", "--from=cronjob/none"}).code, 1);
  ASSERT_EQ(Run({"create", "job", "now", "--from=cronjob/backup"}).code, 0);
  const Outcome again = Run({"create", "job", "now", "--from=cronjob/backup"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("job now exists; delete it or choose another name"));
}

}  // namespace
}  // namespace cluster::cli
