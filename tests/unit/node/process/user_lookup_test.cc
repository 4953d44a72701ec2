#include "node/process/user_lookup.h"

#include <sys/mman.h>
#include <unistd.h>

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "base/file.h"
#include "base/unique_handle.h"

namespace cluster::init {
namespace {

constexpr char kPasswd[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "# a comment\n"
    "broken line\n"
    "hex:x:0x10:0::/:\n"
    "app:x:1000:1001:App,,,:/home/app:/bin/sh\n"
    "nohome:x:7:7::relative:\n"
    "last:x:4294967294:4294967294::/last:/bin/false";
constexpr char kGroup[] =
    "root:x:0:\nwheel:x:10:root,app\napp:x:1001:\naudio:x:29:other,app\nlong:x:30:xapp,appx\n";

UniqueFd FileOf(const std::string& text) {
  UniqueFd fd(memfd_create("accounts", MFD_CLOEXEC));
  EXPECT_TRUE(WriteAll(fd.get(), text).ok());
  lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

// "uid:gid:groups" or the refusal.
std::string LookUp(const std::string& spec, const std::string& passwd = kPasswd,
                   const std::string& group = kGroup) {
  UserIds ids;
  const UniqueFd passwd_fd = FileOf(passwd);
  const UniqueFd group_fd = FileOf(group);
  const char* problem = LookUpUser(spec.c_str(), passwd_fd.get(), group_fd.get(), &ids);
  if (problem != nullptr) return problem;
  std::string text = std::to_string(ids.uid) + ":" + std::to_string(ids.gid) + ":";
  for (size_t i = 0; i < ids.group_count; ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(ids.groups[i]);
  }
  return text + ":" + ids.home;
}

TEST(LookUpUser, FindsWhoIsMeant) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "0:0:10:/root"},
      {"root", "0:0:10:/root"},
      {"0", "0:0:10:/root"},
      {"app", "1000:1001:10,29:/home/app"},
      {"1000", "1000:1001:10,29:/home/app"},
      {"app:audio", "1000:29::/home/app"},
      {"app:0", "1000:0::/home/app"},
      {"1234", "1234:0::/"},
      {"1234:5678", "1234:5678::/"},
      {"1234:wheel", "1234:10::/"},
      {"nohome", "7:7::/"},
      {"last", "4294967294:4294967294::/last"},
      {"4294967294", "4294967294:4294967294::/last"},
  };
  for (const auto& [spec, expected] : cases)
    EXPECT_EQ(LookUp(spec), expected) << "'" << spec << "'";
}

TEST(LookUpUser, RefusesWhatOthersHaveMisread) {
  for (const char* spec : {"0x0",
                           "0x10",
                           "1000:",
                           ":1000",
                           ":",
                           "1000:1000:1000",
                           "4294967295",
                           "4294967296",
                           "99999999999999999999",
                           "1e3",
                           "1000 ",
                           "+1",
                           "-1",
                           " root",
                           "root ",
                           "root:",
                           "root:nobody",
                           "nobody",
                           "hex",
                           "1000:0x1",
                           "1000:-1",
                           "1000:4294967295",
                           "app\n",
                           "ro",
                           "roott",
                           "Root",
                           "broken line",
                           "# a comment",
                           "root\t",
                           "0,0"}) {
    const std::string result = LookUp(spec);
    EXPECT_TRUE(result.find("USER") != std::string::npos || result.find("the ") == 0)
        << "'" << spec << "' gave " << result;
  }
}

TEST(LookUpUser, WorksWithoutAccountFiles) {
  UserIds ids;
  EXPECT_EQ(LookUpUser("", -1, -1, &ids), nullptr);
  EXPECT_EQ(ids.uid, 0u);
  EXPECT_EQ(LookUpUser("12:13", -1, -1, &ids), nullptr);
  EXPECT_NE(LookUpUser("app", -1, -1, &ids), nullptr);
}

TEST(LookUpUser, SkipsLinesThatAreTooLongAndGoesOn) {
  const std::string passwd = std::string(50000, 'x') + "\n" + "app:x:5:6::/:\n";
  EXPECT_EQ(LookUp("app", passwd), "5:6:10,29:/");
}

TEST(LookUpUser, RefusesMoreGroupsThanItHolds) {
  std::string group;
  for (int i = 0; i < 300; ++i)
    group += "g" + std::to_string(i) + ":x:" + std::to_string(i) + ":app\n";
  EXPECT_EQ(LookUp("app", kPasswd, group), "the user is in more than 256 groups of /etc/group");
}

TEST(LookUpUser, StopsReadingAtItsLimit) {
  const std::string passwd =
      std::string(kMaxAccountFile + kMaxAccountLine, '\n') + "late:x:5:6::/:\n";
  EXPECT_EQ(LookUp("late", passwd), "USER is not in the image's /etc/passwd");
}

TEST(LookUpUser, SurvivesGarbage) {
  std::mt19937 random(11);
  const std::string alphabet("ap:,\n0x9\0\xff", 11);
  for (int round = 0; round < 3000; ++round) {
    std::string passwd;
    std::string group;
    for (auto i = random() % 200; i > 0; --i) passwd += alphabet[random() % alphabet.size()];
    for (auto i = random() % 200; i > 0; --i) group += alphabet[random() % alphabet.size()];
    LookUp("ap", passwd, group);
    LookUp("9", passwd, group);
  }
}

}  // namespace
}  // namespace cluster::init
