#include "harness/name_server.hpp"

#include <signal.h>
#include <unistd.h>

#include "harness/message.hpp"

namespace baton::harness {

namespace {

constexpr const char* program = "/usr/sbin/dnsmasq";

}  // namespace

NameServer::NameServer(const std::vector<std::string>& hosts, std::vector<std::string> records)
    : records_(std::move(records)) {
  write(hosts);
  start();
}

void NameServer::write(const std::vector<std::string>& hosts) const {
  std::string lines;
  for (const std::string& line : hosts) lines += line + "\n";
  replace_file(directory_ / "hosts", lines);
}

void NameServer::say(const std::vector<std::string>& hosts) {
  write(hosts);
  process_->signal(SIGHUP);
  process_->await_line(Process::Stream::err, std::regex("dnsmasq.*: read .*/hosts"));
}

void NameServer::say(const std::vector<std::string>& hosts, std::vector<std::string> records) {
  stop();
  records_ = std::move(records);
  write(hosts);
  start();
}

void NameServer::stop() {
  if (!process_) return;
  process_->signal(SIGTERM);
  process_->await_exit();
  process_ = nullptr;
}

void NameServer::start() {
  Command command{{program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                   "--local=/test/", "--local-ttl=0", "--bind-interfaces", "--listen-address=" + address_.host,
                   "--port=" + std::to_string(address_.port), "--addn-hosts=" + directory_ / "hosts",
                   "--log-facility=-", "--pid-file=" + directory_ / "pid"}};
  if (::geteuid() == 0) command.argv.push_back("--user=root");
  for (const std::string& record : records_) command.argv.push_back("--srv-host=" + record);
  process_ = std::make_unique<Process>(command);
  process_->await_line(Process::Stream::err, std::regex("dnsmasq.*: read .*/hosts"));
}

bool NameServer::installed() {
  return ::access(program, X_OK) == 0;
}

}  // namespace baton::harness
