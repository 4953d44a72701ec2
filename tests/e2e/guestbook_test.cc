// The guestbook that every cluster is tried with: a web page in several copies in front of one
// redis that is written to and others that are read from, which find each other by their names.
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/domain/shared_manifests.h"
#include "tests/e2e/docker_archive.h"
#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

// Debian's one program for all of redis goes by the name that it is called by.
constexpr char kRedis[] = "/usr/bin/redis-check-rdb";

// The page of the public image, as far as its manifests can tell: written to at redis-master, read
// from redis-replica.
constexpr char kPage[] = R"(printf 'Content-Type: application/json\r\n\r\n'
value=${QUERY_STRING##*value=}
case $QUERY_STRING in
  cmd=set*) printf 'SET messages %s\r\n' "$value" | nc -w 1 redis-master 6379 | head -n 1 ;;
  cmd=get*) printf 'GET messages\r\n' | nc -w 1 redis-replica 6379 ;;
esac
)";

// What the collection does not have of it.
constexpr char kServices[] = R"(apiVersion: v1
kind: Service
metadata: {name: redis-master, labels: {app: redis, role: master}}
spec:
  selector: {app: redis, role: master}
  ports: [{port: 6379, targetPort: redis-server}]
---
apiVersion: v1
kind: Service
metadata: {name: redis-replica, labels: {app: redis, role: replica}}
spec:
  selector: {app: redis, role: replica}
  ports: [{port: 6379}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis-replica}
spec:
  replicas: 2
  selector: {matchLabels: {app: redis, role: replica}}
  template:
    metadata: {labels: {app: redis, role: replica}}
    spec:
      containers:
      - name: replica
        image: redis:7.2
        args: [redis-server, --protected-mode, 'no', --replicaof, redis-master, '6379']
        ports: [{containerPort: 6379}]
        readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
)";

void Load(const std::string& name, const std::vector<ArchiveFile>& files,
          const std::vector<std::string>& command) {
  const std::string path = absl::StrCat("/tmp/cluster-e2e-", getpid(), "-image.tar");
  WriteDockerArchive(path, name, files, command);
  CtlOut({"image", "load", path});
  std::filesystem::remove(path);
}

void LoadImages() {
  Load("redis:7.2", ProgramFiles(kRedis, "redis-server"),
       {"redis-server", "--protected-mode", "no"});
  std::vector<ArchiveFile> page = BusyboxFiles();
  page.push_back({"www", "", 0755, ArchiveFile::Type::kDirectory});
  page.push_back({"www/guestbook.php", kPage, 0755});
  page.push_back({"etc/httpd.conf", "*.php:/bin/sh\n", 0644});
  Load("gcr.io/google-samples/gb-frontend:v5", page, {"httpd", "-f", "-p", "80", "-h", "/www"});
}

class GuestbookE2e : public testing::Test {
 protected:
  void TearDown() override {
    // Not every program of these heeds a signal as the first process.
    CtlOut({"delete", "deployments,services", "--all", "--timeout", "60s"});
    CtlOut({"delete", "pods", "--all", "--grace-period", "1", "--timeout", "60s"});
  }
};

TEST_F(GuestbookE2e, Behaviour78_DeploysFromUnchangedManifestsAndStoresAnEntry) {
  const auto folder = domain::SharedManifests();
  if (folder.empty()) {
    GTEST_SKIP() << domain::kNoSharedManifests;
  }
  LoadBusybox();
  LoadImages();
  for (const char* name :
       {"examples-guestbook-frontend-deployment.yaml", "examples-guestbook-frontend-service.yaml",
        "examples-guestbook-go-redis-master-rc.yaml"}) {
    CtlOut({"apply", "-f", (folder / name).string()});
  }
  Apply(kServices);
  for (const char* name : {"deploy/frontend", "deploy/redis-master", "deploy/redis-replica"}) {
    CtlOut({"rollout", "status", name, "--timeout", "90s"});
  }
  Apply(PodText{.name = "visitor"}.Yaml());
  ASSERT_TRUE(WaitPhase("visitor", "Running"));
  // From outside: a port of each node.
  const int port = GetJson({"service", "frontend"})["spec"]["ports"][0]["nodePort"];
  std::vector<std::string> pages;
  for (const auto& pod : PodsOf("guestbook")) {
    pages.push_back(
        absl::StrCat("http://", std::string(pod["status"]["hostIP"]), ":", port, "/guestbook.php"));
  }
  ASSERT_EQ(pages.size(), 3u);
  const auto fetch = [](const std::string& url) {
    return Ctl({"exec", "visitor", "--", "wget", "-qO-", url}).out;
  };
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(fetch(pages[0] + "?cmd=set&key=messages&value=hello"), "+OK");
  }));
  for (const std::string& page : pages) {
    EXPECT_TRUE(Eventually([&] {
      return absl::StrContains(fetch(page + "?cmd=get&key=messages"), "hello");
    })) << page
        << ": " << fetch(page + "?cmd=get&key=messages");
  }
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-guestbook", 3)
