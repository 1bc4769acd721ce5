#include "proxy/ctl/admin_address.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace baton::ctl {
namespace {

const char* environment(const char* name) {
  const std::string wanted = name;
  if (wanted == "SOCKET") return "/run/from/environment.sock";
  if (wanted == "XDG_RUNTIME_DIR") return "/run/user/1000";
  return nullptr;
}
const char* empty_environment(const char*) {
  return nullptr;
}

class AdminAddress : public testing::Test {
 protected:
  AdminAddress() {
    std::string pattern = "/tmp/baton_ctl_XXXXXX";
    directory = ::mkdtemp(pattern.data());
  }
  ~AdminAddress() override { std::filesystem::remove_all(directory); }

  std::string write(const std::string& yaml) const {
    std::ofstream(directory + "/baton.yaml") << yaml;
    return directory + "/baton.yaml";
  }
  static std::string found(const Whereabouts& whereabouts, config::Environment from = environment) {
    const auto addresses = find_admin(whereabouts, from);
    return addresses ? in_words(*addresses) : "error: " + addresses.error();
  }
  static std::string in_words(const std::vector<config::Address>& addresses) {
    std::string text;
    for (const auto& address : addresses) text += (text.empty() ? "" : " ") + address.text();
    return text;
  }
  std::string in_file(const std::string& yaml, config::Environment from = environment) const {
    return found({.config = write(yaml)}, from);
  }

  std::string directory;
  const std::string by_default =
      ::geteuid() == 0 ? "unix:/run/baton/admin.sock" : "unix:/run/user/1000/baton/admin.sock";
};

TEST_F(AdminAddress, OfTheCommandLineIsTaken) {
  const std::string file = write("admin: { bind: unix:/in/file.sock }");
  EXPECT_EQ(found({"unix:/a.sock", file, ""}), "unix:/a.sock");
  EXPECT_EQ(found({"127.0.0.1:9901", "/no/such/file", ""}), "127.0.0.1:9901");
  EXPECT_EQ(found({"nowhere", file, ""}).find("error: --admin: "), 0u);
}

TEST_F(AdminAddress, WithAPortThatTheKernelChoseIsNotInTheFile) {
  EXPECT_EQ(in_file("admin: { bind: [ \"127.0.0.1:0\", unix:/a.sock ] }"), "unix:/a.sock");
  EXPECT_NE(in_file("admin: { bind: \":0\" }").find("the kernel chose the port of `:0`"), std::string::npos);
  EXPECT_NE(found({"127.0.0.1:0", "", ""}).find("error: --admin: the kernel chose"), std::string::npos);
}

TEST_F(AdminAddress, OfTheFileIsTakenElse) {
  EXPECT_EQ(in_file("version: 1\nadmin: { bind: unix:/in/file.sock }\n"), "unix:/in/file.sock");
  EXPECT_EQ(in_file("admin: { bind: \"unix:${SOCKET}\" }\n"), "unix:/run/from/environment.sock");
  EXPECT_EQ(found({.default_config = write("admin: { bind: \":9901\" }")}), ":9901");
}

TEST_F(AdminAddress, IsFoundInAFileThatIsWrongElsewhere) {
  EXPECT_EQ(in_file("no_such_key: 1\nlisteners: { }\nadmin: { bind: unix:/in/file.sock }\n"), "unix:/in/file.sock");
  EXPECT_EQ(in_file("upstreams: \"${MISSING}\"\nadmin: { bind: unix:/in/file.sock }\n"), "unix:/in/file.sock");
}

TEST_F(AdminAddress, MayBeOneOfSeveral) {
  EXPECT_EQ(in_file("admin: { bind: [ \"127.0.0.1:9901\", unix:/a, \"unix:${SOCKET}\" ] }\n"),
            "127.0.0.1:9901 unix:/a unix:/run/from/environment.sock");
  EXPECT_EQ(in_file("admin: { bind: [ auto, \":9901\" ] }\n"), by_default + " :9901");
  EXPECT_EQ(in_file("admin: { bind: [] }\n"), by_default);
  const auto all = find_admin({.config = write("admin: { bind: [ \":1\", unix:/a, \":2\", unix:/b ] }")}, environment).value();
  EXPECT_EQ(in_words(for_commands(all)), "unix:/a unix:/b");
  EXPECT_EQ(in_words(for_questions(all)), "unix:/a unix:/b :1 :2");
  const auto tcp = find_admin({.config = write("admin: { bind: [ \":1\", \":2\" ] }")}, environment).value();
  EXPECT_EQ(in_words(for_commands(tcp)), ":1") << "it says that it takes none";
}

TEST_F(AdminAddress, IsTheDefaultWhereNoneIsWritten) {
  for (const auto* yaml :
       {"version: 1\n", "", "admin:\n", "admin: { }\n", "admin: { bind: auto }\n", "admin: { bind: }\n"}) {
    EXPECT_EQ(in_file(yaml), by_default) << yaml;
  }
  EXPECT_EQ(found({.default_config = directory + "/missing.yaml"}), by_default);
}

TEST_F(AdminAddress, ThatCannotBeFoundIsAnErrorThatSaysWhatToDo) {
  EXPECT_NE(found({.config = directory + "/missing.yaml"}).find("cannot be read: No such file"), std::string::npos);
  EXPECT_NE(found({.config = directory}).find("cannot be read: Is a directory"), std::string::npos);
  for (const auto* yaml : {"admin: [\n", "admin: { bind: { a: 1 } }\n", "admin: { bind: [ [ 1 ] ] }\n", "admin: { bind: \"unix:${MISSING}\" }\n"}) {
    EXPECT_EQ(in_file(yaml).find("error: " + directory), 0u) << yaml;
    EXPECT_NE(in_file(yaml).find("--admin"), std::string::npos) << in_file(yaml);
  }
  EXPECT_EQ(in_file("admin: { bind: nowhere }\n").find("error: "), 0u);
  if (::geteuid() != 0) {
    EXPECT_NE(found({}, empty_environment).find("XDG_RUNTIME_DIR"), std::string::npos);
  }
}

}  // namespace
}  // namespace baton::ctl
