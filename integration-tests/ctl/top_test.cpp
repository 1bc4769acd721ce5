// `baton ctl top` on a terminal, which `script` provides, and without one.
#include <signal.h>

#include <fstream>

#include "ctl/ctl.hpp"

namespace baton::harness {
namespace {

const std::string enters = "\x1b[?1049h";
const std::string leaves = "\x1b[?1049l";

class CtlTop : public Ctl {
 protected:
  // At a terminal of 24 rows and 80 columns, whose modes and signs of life the shell prints.
  Command at_terminal(const std::string& before = "NO_COLOR=1 ") const {
    std::ofstream(script()) << "trap : INT\nstty rows 24 cols 80\ntty\nstty -g\n"
                            << before << baton_in_shell() << " ctl top -c " << in_shell(baton.config_path())
                            << "\necho \"ended $?\"\nstty -g\n";
    return {.argv = {"script", "-qfec", "exec sh " + in_shell(script()), "/dev/null"},
            .environment = {"TERM=xterm"},
            .has_input = true};
  }
  std::string script() const { return baton.directory() / "top.sh"; }
  static std::string await(Process& process, const std::string& line) {
    return process.await_line(Process::Stream::out, std::regex(line));
  }
  // It has left everything as it was.
  static void expect_restored(Process& process, const std::string& modes) {
    await(process, "ended 0");
    EXPECT_EQ(await(process, "^[0-9a-f:]+\r?$"), modes);
    EXPECT_EQ(process.await_exit(), (Ended{0, 0}));
    process.await_end_of_output();
    const std::string out = process.out();
    EXPECT_LT(out.find(enters), out.rfind(leaves));
    EXPECT_NE(out.rfind(leaves), std::string::npos);
  }
};

TEST_F(CtlTop, FollowsUpgradesOnATerminalAndRestoresItAtTheEnd) {
  Process process(at_terminal());
  await(process, "^/dev/");
  const std::string modes = await(process, "^[0-9a-f:]+\r?$");
  await(process, "serving.*generation 1 ");
  await(process, "web/127.0.0.1:[0-9]+ +up ");
  baton.upgrade();
  await(process, "serving.*generation 2 ");
  await(process, "completed.*1 to 2, ");
  baton.upgrade();
  await(process, "serving.*generation 3 ");
  process.type("q");
  expect_restored(process, modes);
}

TEST_F(CtlTop, EndsAtControlC) {
  Process process(at_terminal());
  await(process, "^/dev/");
  const std::string modes = await(process, "^[0-9a-f:]+\r?$");
  await(process, "generation 1 ");
  process.type("\x03");
  expect_restored(process, modes);
}

TEST_F(CtlTop, TakesTheSizeOfItsWindow) {
  Process process(at_terminal());
  std::string terminal = await(process, "^/dev/");
  terminal.erase(terminal.find_last_not_of("\r\n") + 1);
  await(process, "Baton .* PID ");
  // Nothing else makes it draw: nobody tells it anything.
  baton.signal(SIGSTOP);
  run({{"stty", "-F", terminal, "rows", "24", "cols", "100"}});
  await(process, "Baton .{80,}q ends");
  baton.signal(SIGCONT);
  run({{"stty", "-F", terminal, "rows", "5", "cols", "30"}});
  await(process, "Baton [^P]*\r?$");  // the PID has no place
  process.type("q");
  await(process, "ended 0");
}

TEST_F(CtlTop, SaysThatItReconnectsAndGoesOn) {
  Process process(at_terminal());
  await(process, "generation 1 ");
  baton.signal(SIGTERM);
  ASSERT_EQ(baton.await_exit(), (Ended{0, 0}));
  await(process, "generation 1 .*(reconnecting|nobody answers)");
  baton.start_again();
  await(process, "generation 1 .*q ends");
  process.type("q");
  await(process, "ended 0");
}

TEST_F(CtlTop, HasNoColoursIfTheEnvironmentSaysSo) {
  const auto out_of = [&](const std::string& before) {
    Process process(at_terminal(before));
    await(process, "connections ");
    process.type("q");
    await(process, "ended 0");
    return process.out();
  };
  EXPECT_TRUE(contains(out_of(""), "\x1b[1m"));
  EXPECT_FALSE(contains(out_of("NO_COLOR=1 "), "\x1b[1m"));
}

TEST_F(CtlTop, IsPlainTextWithoutATerminal) {
  baton.connect().get("/bytes/1");
  for (const std::vector<std::string>& words : {std::vector<std::string>{"top"}, {"top", "--once"}}) {
    const Outcome outcome = ctl(words);
    expect_done(outcome, "generation 1  PID " + std::to_string(baton.pid()));
    EXPECT_TRUE(contains(outcome.out, "web/127.0.0.1:")) << outcome.out;
    EXPECT_FALSE(contains(outcome.out, "\x1b")) << outcome.out;
  }
  EXPECT_EQ(boost::json::parse(ctl({"top", "--json"}).out).at("generation").to_number<int>(), 1);
}

TEST_F(CtlTop, WithoutABatonIsAnErrorAndLeavesTheTerminalAlone) {
  baton.signal(SIGTERM);
  ASSERT_EQ(baton.await_exit(), (Ended{0, 0}));
  expect_failure(ctl({"top"}), "cannot reach the admin interface at");
  Process process(at_terminal());
  await(process, "ended 1");
  EXPECT_FALSE(contains(process.out(), enters));
}

}  // namespace
}  // namespace baton::harness
