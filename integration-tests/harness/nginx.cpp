#include "harness/nginx.hpp"

#include <unistd.h>

#include "harness/message.hpp"

namespace baton::harness {

namespace {

constexpr const char* nginx_program = "/usr/sbin/nginx";

}  // namespace

Nginx::Nginx(const std::string& listen_options, const std::string& lines) {
  const std::string dir = directory_.path();
  replace_file(directory_ / "small", pattern(10));
  replace_file(directory_ / "large", pattern(1 << 20));
  replace_file(directory_ / "nginx.conf", "daemon off; master_process off; pid " + dir +
                                              "/nginx.pid; error_log stderr;\n"
                                              "events { worker_connections 1024; }\n"
                                              "http { access_log off; keepalive_requests 1000000000;\n"
                                              "  client_body_temp_path " +
                                              dir + "/body; proxy_temp_path " + dir +
                                              "/proxy;\n"
                                              "  fastcgi_temp_path " +
                                              dir + "/fastcgi; uwsgi_temp_path " + dir + "/uwsgi; scgi_temp_path " +
                                              dir +
                                              "/scgi;\n"
                                              "  server { listen " +
                                              address_.text() + " " + listen_options + "; root " + dir + "; " + lines +
                                              " } }\n");
  process_ =
      std::make_unique<Process>(Command{{nginx_program, "-p", dir, "-e", "stderr", "-c", directory_ / "nginx.conf"}});
  try {
    await([this] { return is_alive(process_->pid()) && is_listening(address_); }, "nginx to listen");
  } catch (const Failure& failure) {
    throw Failure(std::string(failure.what()) + "\n" + process_->err());
  }
}

bool Nginx::installed() {
  return ::access(nginx_program, X_OK) == 0;
}

}  // namespace baton::harness
