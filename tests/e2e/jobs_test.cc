// Jobs and CronJobs as users see them (behaviours 44 to 48).
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using testing::HasSubstr;

class JobsE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override {
    CtlOut({"delete", "cronjobs,jobs,pods", "--all", "--timeout", "60s"});
  }
};

// `spec`: lines of the job's spec, indented by two; `pod`: lines of the pod's, by six.
std::string JobYaml(const std::string& name, const std::string& script,
                    const std::string& spec = "", const std::string& pod = "") {
  return absl::StrCat("apiVersion: batch/v1\nkind: Job\nmetadata: {name: ", name, "}\nspec:\n",
                      spec, "  template:\n    spec:\n      terminationGracePeriodSeconds: 2\n",
                      absl::StrContains(pod, "restartPolicy") ? "" : "      restartPolicy: Never\n",
                      pod, "      containers:\n      - name: main\n        image: busybox:1\n",
                      "        command: [sh, -c, '", script, "']\n");
}

nlohmann::json StatusOf(const std::string& job) { return GetJson({"job", job})["status"]; }

std::vector<nlohmann::json> PodsOfJob(const std::string& job) {
  const nlohmann::json list = GetJson({"pods", "-l", "batch.kubernetes.io/job-name=" + job});
  return {list["items"].begin(), list["items"].end()};
}

TEST_F(JobsE2e, Behaviour44RunsUntilEnoughHaveSucceeded) {
  Apply(JobYaml("work", "echo done; sleep 0.5", "  completions: 5\n  parallelism: 2\n"));
  CtlOut({"wait", "--for=condition=complete", "job/work", "--timeout", "60s"});
  const nlohmann::json status = StatusOf("work");
  EXPECT_EQ(status["succeeded"], 5);
  EXPECT_FALSE(status.contains("failed"));
  EXPECT_EQ(PodsOfJob("work").size(), 5u) << "the pods stay for their logs";
  EXPECT_EQ(CtlOut({"logs", "job/work"}), "done");
  const std::string table = CtlOut({"get", "jobs"});
  EXPECT_THAT(table, HasSubstr("Complete   5/5"));
  EXPECT_THAT(CtlOut({"describe", "job", "work"}), HasSubstr("0 Active (0 Ready) / 5 Succeeded"));
}

TEST_F(JobsE2e, Behaviour44TasksThatFailOnceAreRestarted) {
  Apply(JobYaml("work", "[ -f /data/tried ] || { touch /data/tried; exit 1; }",
                "  completions: 2\n  parallelism: 2\n",
                "      restartPolicy: OnFailure\n      volumes: [{name: data, emptyDir: {}}]\n") +
        "        volumeMounts: [{name: data, mountPath: /data}]\n");
  CtlOut({"wait", "--for=condition=complete", "job/work", "--timeout", "90s"});
  EXPECT_EQ(StatusOf("work")["succeeded"], 2);
  for (const nlohmann::json& pod : PodsOfJob("work")) EXPECT_EQ(RestartCount(pod), 1);
}

TEST_F(JobsE2e, Behaviour45DeletingAJobEndsItsPods) {
  Apply(JobYaml("work", "exec sleep 10000", "  completions: 2\n  parallelism: 2\n"));
  ASSERT_TRUE(Eventually([] { return StatusOf("work").value("ready", 0) == 2; }));
  Delete("job", "work");
  EXPECT_TRUE(Eventually([] { return PodsOfJob("work").empty(); }));
}

TEST_F(JobsE2e, Behaviour45ADeletedPodOfAJobIsCountedAndGoes) {
  Apply(JobYaml("work", "exec sleep 10000"));
  ASSERT_TRUE(Eventually([] { return StatusOf("work").value("ready", 0) == 1; }));
  const std::string first = PodsOfJob("work")[0]["metadata"]["name"];
  Delete("pod", first);
  ASSERT_TRUE(Eventually([] { return StatusOf("work").value("ready", 0) == 1; }));
  EXPECT_EQ(StatusOf("work")["failed"], 1);
  ASSERT_EQ(PodsOfJob("work").size(), 1u);
  EXPECT_NE(PodsOfJob("work")[0]["metadata"]["name"], first);
}

TEST_F(JobsE2e, Behaviour46EveryPodKnowsItsIndex) {
  Apply(JobYaml("work", "echo index $JOB_COMPLETION_INDEX on $(hostname)",
                "  completionMode: Indexed\n  completions: 3\n  parallelism: 3\n"));
  CtlOut({"wait", "--for=condition=complete", "job/work", "--timeout", "60s"});
  EXPECT_EQ(StatusOf("work")["completedIndexes"], "0-2");
  for (const char* index : {"0", "1", "2"}) {
    EXPECT_EQ(
        CtlOut({"logs", "-l", absl::StrCat("batch.kubernetes.io/job-completion-index=", index)}),
        absl::StrCat("index ", index, " on work-", index));
  }
}

TEST_F(JobsE2e, Behaviour47AnExitCodeFailsTheJobAtOnce) {
  Apply(JobYaml("work", "exit 42",
                "  backoffLimit: 5\n"
                "  podFailurePolicy:\n    rules:\n"
                "    - {action: FailJob, onExitCodes: {operator: In, values: [42]}}\n"));
  CtlOut({"wait", "--for=condition=failed", "job/work", "--timeout", "60s"});
  EXPECT_EQ(PodsOfJob("work").size(), 1u);
  const std::string described = CtlOut({"describe", "job", "work"});
  EXPECT_THAT(described, HasSubstr("PodFailurePolicy"));
  EXPECT_THAT(described, HasSubstr("failed with exit code 42 matching FailJob rule at index 0"));
}

TEST_F(JobsE2e, Behaviour48ACronJobRunsAtItsTimeAndWhenItIsTold) {
  Apply(
      "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tick}\nspec:\n"
      "  schedule: \"* * * * *\"\n  concurrencyPolicy: Forbid\n  jobTemplate:\n    spec:\n"
      "      template:\n        spec:\n          restartPolicy: Never\n          containers:\n"
      "          - {name: main, image: busybox:1, command: [sh, -c, \"echo tick\"]}\n");
  EXPECT_EQ(CtlOut({"create", "job", "now", "--from=cronjob/tick"}), "job/now created");
  CtlOut({"wait", "--for=condition=complete", "job/now", "--timeout", "60s"});
  EXPECT_EQ(CtlOut({"logs", "job/now"}), "tick");
  const auto last = [] {
    const nlohmann::json cron_job = GetJson({"cronjob", "tick"});
    return cron_job.value("/status/lastScheduleTime"_json_pointer, std::string());
  };
  ASSERT_TRUE(Eventually([&] { return !last().empty(); }, absl::Seconds(75)));
  EXPECT_TRUE(absl::StrContains(last(), ":00Z"));
  EXPECT_TRUE(Eventually([] {
    const nlohmann::json jobs = GetJson({"jobs"});
    for (const nlohmann::json& job : jobs["items"]) {
      const bool of_schedule =
          absl::StartsWith(job["metadata"]["name"].get<std::string>(), "tick-");
      if (of_schedule && job.value("/status/succeeded"_json_pointer, 0) == 1) return true;
    }
    return false;
  }));
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-jobs", 2)
