// SPDX-License-Identifier: MIT
// What is away, full, slow or odd on disk stops no app that runs.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include <fmt/core.h>

#include "support.h"

namespace muster::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Vanish : public testing::Test {
 protected:
  std::string files() const {
    for (const auto& entry : fs::directory_iterator(session.file("tmp"))) {
      if (entry.path().filename().string().starts_with("muster-")) return entry.path();
    }
    return {};
  }
  Session session;
};

TEST_F(Vanish, WorkersComeWhenTheirFilesWereRemoved) {
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");
  const std::string folder = files();
  ASSERT_FALSE(folder.empty());
  fs::remove_all(folder);

  kill(session.workers("app").at(0), SIGKILL);
  muster.line("it is made again");
  muster.line("is ready");
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_EQ(get(port), std::to_string(session.workers("app").at(0)));
  // By its old name, which older workers know.
  EXPECT_EQ(files(), folder);
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
  EXPECT_TRUE(session.temporary_files().empty());
}

TEST_F(Vanish, AWorkerThatNotifiesIsHeardByTheOldName) {
  session.write("app.py", R"(import os, socket, time
def say(text):
    try:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.sendto(text, os.environ['NOTIFY_SOCKET'])
        s.close()
    except OSError: pass
say(b'READY=1')
while True:
    say(b'WATCHDOG=1')
    time.sleep(0.02)
)");
  Running muster(
      session, {.words = {"run", "--listen", "tcp://127.0.0.1:0", "--heartbeat", "30s", "--interpreter", "python3", "app.py"}});
  muster.line("1 worker is ready");
  const std::string folder = files();
  fs::remove_all(folder);
  muster.line("it is made again");
  EXPECT_TRUE(eventually([&] { return fs::exists(folder + "/notify"); }, "its socket"));
  EXPECT_EQ(session.status("app")["restarts"], 0);
}

TEST_F(Vanish, CommandsAreGivenWhenTheRuntimeFolderWasRemoved) {
  session.write("app.js", server_js(0));
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");
  fs::remove_all(session.file("run/muster"));

  muster.line("it is made again");
  EXPECT_TRUE(eventually([&] { return session.run({"status", "app"}).code == 0; }, "it can be asked"));
  // The name is taken as it was.
  const Ended second = session.run({"run", "app.js"});
  EXPECT_EQ(second.code, 1);
  EXPECT_TRUE(has(second.err, "runs already")) << second.all();
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
}

TEST_F(Vanish, ARuntimeFolderThatCannotBeMadeIsSaidOnce) {
  session.write("app.js", server_js(0));
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");
  fs::remove_all(session.file("run"));
  session.write("run", "no folder");

  muster.line("no commands can be given until it is there");
  fs::remove(session.file("run"));
  fs::create_directory(session.file("run"));
  EXPECT_TRUE(eventually([&] { return session.run({"status", "app"}).code == 0; }, "it can be asked again"));
  EXPECT_EQ(count_of(muster.output(), "no commands can be given"), 1);
}

TEST_F(Vanish, AKilledPrimaryLeavesNothingBehindForLong) {
  session.write("app.js", "process.on('SIGTERM', () => {}); process.on('disconnect', () => {});" + server_js(0) +
                              "setInterval(() => {}, 1000);");
  int primary = 0, worker = 0;
  std::string folder;
  {
    Running muster(session, {.words = {"run", "app.js"}});
    muster.line("1 worker is ready");
    primary = muster.pid();
    worker = session.workers("app").at(0);
    folder = files();
    muster.signal(SIGKILL);
    EXPECT_TRUE(gone(primary));
    EXPECT_TRUE(gone(worker));
  }
  EXPECT_TRUE(fs::exists(folder));
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(Vanish, ALogThatIsAPipeWaitsForNoReader) {
  session.write("app.js", "for (let i = 0; i < 20000; ++i) console.log('line', i);" + server_js(0));
  ASSERT_EQ(mkfifo(session.file("pipe").c_str(), 0600), 0);
  Running muster(session, {.words = {"run", "--log-file", "pipe", "app.js"}});
  EXPECT_TRUE(eventually([&] { return session.status("app")["state"] == "running"; }, "it runs"));
  // A reader who does not read.
  const int reader = open(session.file("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_EQ(session.run({"status", "app"}).code, 0);
  std::string text(1 << 16, '\0');
  EXPECT_TRUE(eventually(
      [&] {
        const ssize_t size = read(reader, text.data(), text.size());
        return size > 0 && has(std::string_view(text).substr(0, static_cast<std::size_t>(size)), "app/1");
      },
      "a line"));
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  close(reader);
}

// What is kept for it stays kept, and what there is no room for is counted.
TEST_F(Vanish, ALogThatIsAPipeLosesNothingThatWasKeptForASlowReader) {
  constexpr int lines = 80'000;  // of 100 bytes, about
  session.write("app.js", fmt::format("const fs = require('fs');\n"
                                      "const write = (text) => process.stdout.write(text);\n"
                                      "let text = '';\n"
                                      "for (let i = 0; i < {}; ++i) text += `number ${{i}} ${{'x'.repeat(50)}}\\n`;\n"
                                      "write(text);\n"
                                      "const look = () => fs.existsSync('go') ? write('the end\\n') : setTimeout(look, 10);\n"
                                      "process.stdout.write('', () => {{ fs.writeFileSync('printed', ''); look(); }});\n",
                                      lines) +
                              server_js(0));
  ASSERT_EQ(mkfifo(session.file("pipe").c_str(), 0600), 0);
  const int reader = open(session.file("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  Running muster(session, {.words = {"run", "--log-file", "pipe", "app.js"}});
  EXPECT_TRUE(eventually([&] { return fs::exists(session.file("printed")); }, "it has printed"));
  EXPECT_EQ(session.run({"status", "app"}).code, 0);

  std::string text, part(1 << 16, '\0');
  const auto read_on = [&] {
    for (ssize_t size = 0; (size = read(reader, part.data(), part.size())) > 0;)
      text.append(part, 0, static_cast<std::size_t>(size));
  };
  const auto has_end = [&] {
    read_on();
    if (text.size() > (4U << 20) - (1U << 16)) session.write("go", "");
    return has(text, "the end\n");
  };
  EXPECT_TRUE(eventually(has_end, "the end"));

  // From the first on, without a gap, until there was no more room.
  int next = 0;
  std::istringstream in(text);
  int lost = 0;
  for (std::string line; std::getline(in, line);) {
    if (const auto at = line.find(" number "); at != std::string::npos && lost == 0) {
      EXPECT_EQ(std::atoi(line.c_str() + at + 8), next);
      next = std::atoi(line.c_str() + at + 8) + 1;
    }
    if (const auto at = line.find(" lines could not be written"); at != std::string::npos) {
      lost += std::atoi(line.c_str() + line.rfind(' ', at - 1));
    }
  }
  EXPECT_GT(next, 30'000);
  EXPECT_GT(lost, 0);
  EXPECT_LE(next + lost, lines + 16) << "with what muster says itself";
  close(reader);
}

// Whose queue has no room for another that asks.
TEST_F(Vanish, APrimaryThatStandsStillKeepsNoCommandWaiting) {
  session.write("app.js", server_js(0));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  const int primary = session.status("app")["pid"];
  kill(primary, SIGSTOP);
  for (int error = 0; error == 0;) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    session.runtime("app.sock").copy(address.sun_path, sizeof address.sun_path - 1);
    error = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
    close(fd);
  }

  EXPECT_TRUE(has(session.run({"list"}).all(), "does not answer"));
  const Ended stop = session.run({"stop", "--timeout", "100ms", "app"});
  EXPECT_EQ(stop.code, 1);
  EXPECT_TRUE(has(stop.err, "does not answer")) << stop.all();
  EXPECT_TRUE(has(session.run({"reload", "--timeout", "100ms", "app"}).err, "does not answer"));

  kill(primary, SIGCONT);
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
}

TEST_F(Vanish, AConfigurationThatIsAPipeIsReadToItsEnd) {
  session.write("app.js", server_js(0));
  ASSERT_EQ(mkfifo(session.file("pipe.toml").c_str(), 0600), 0);
  std::jthread writer([&] { session.write("pipe.toml", "[apps.api]\napp = \"app.js\"\n"); });
  const Ended checked = session.run({"check", "pipe.toml"});
  EXPECT_EQ(checked.code, 0) << checked.all();
  EXPECT_TRUE(has(checked.out, "1 app, no mistakes")) << checked.all();
}

TEST_F(Vanish, AStateFileOfAWrongKindBreaksNoOther) {
  session.write("app.js", server_js(0));
  EXPECT_EQ(session.run({"start", "app.js"}).code, 0);
  for (const auto& [name, text] :
       std::map<std::string, std::string>{{"number", "1"},
                                          {"words", R"({"status": "no", "running": "maybe", "sources": 5, "log": 7})"},
                                          {"none", "{"},
                                          {"pids", R"({"status": {"pid": "x"}, "sources": {}})"}}) {
    session.write("state/muster/" + name + ".json", text);
  }
  mkfifo(session.state("pipe.json").c_str(), 0600);
  fs::create_directory(session.state("folder.json"));
  const Ended list = session.run({"list"});
  EXPECT_EQ(list.code, 0) << list.all();
  EXPECT_TRUE(has(list.out, "app")) << list.all();
  for (const std::string name : {"number", "words", "none", "pids", "pipe", "folder"}) {
    const Ended status = session.run({"status", name});
    EXPECT_TRUE(has(status.all(), "cannot be read")) << name << ": " << status.all();
    const Ended start = session.run({"start", name});
    EXPECT_EQ(start.code, 1) << name;
    EXPECT_TRUE(has(start.err, "cannot be read")) << name << ": " << start.all();
    EXPECT_NE(session.run({"logs", name}).code, -1);
    EXPECT_NE(session.run({"why", name}).code, -1);
  }
  // What is no file of ours is not said to be gone.
  const Ended kept = session.run({"delete", "folder"});
  EXPECT_EQ(kept.code, 1);
  EXPECT_TRUE(has(kept.err, "cannot remove")) << kept.all();
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
}

}  // namespace
}  // namespace muster::test
