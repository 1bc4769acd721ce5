#include "translations/proxies.hpp"

#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <vector>

#include "harness/baton.hpp"

namespace baton::harness {

namespace {

// Without a connection, which a proxy might forward.
bool is_in_listen_state(const Address& address) {
  std::istringstream sockets(read_file("/proc/net/tcp"));
  char port[8];
  std::snprintf(port, sizeof port, ":%04X ", address.port);
  for (std::string line; std::getline(sockets, line);) {
    const std::size_t at = line.find(port);
    if (at != std::string::npos && line.find(" 00000000:0000 0A ", at) != std::string::npos) return true;
  }
  return false;
}

class Program : public Proxy {
 public:
  // Writes the configuration, a documented one, to NAME in a folder of its own and starts the command.
  Program(const std::string& name, const std::string& configuration, const Places& places,
          const std::function<Command(const TempDir&)>& command) {
    replace_file(directory_ / name, places.made_real(configuration));
    process_ = std::make_unique<Process>(command(directory_));
    for (const auto& [documented, front] : places.fronts_in(configuration)) {
      try {
        await([&] { return !is_alive(process_->pid()) || is_in_listen_state(front); }, name + " to take effect");
      } catch (const Failure& failure) {
        throw Failure(failure.what() + log());
      }
    }
    if (!is_alive(process_->pid())) throw Failure("it has ended\n" + places.made_real(configuration) + log());
  }
  std::string log() const override { return process_->out() + process_->err(); }

 private:
  TempDir directory_;
  std::unique_ptr<Process> process_;
};

// The snippet's statements that stand at its top level, each with its block.
std::vector<std::string> statements_of(const std::string& snippet) {
  std::vector<std::string> statements{""};
  int depth = 0;
  for (const char c : snippet) {
    statements.back() += c;
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (c == '\n' && depth == 0) statements.emplace_back();
  }
  statements.pop_back();
  return statements;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class RunningBaton : public Proxy {
 public:
  explicit RunningBaton(const Settings& settings) : baton_(settings) {}
  std::string log() const override { return baton_.log(); }

 private:
  Baton baton_;
};

}  // namespace

std::unique_ptr<Proxy> start_nginx(const std::string& snippet, const Places& places) {
  std::string main, http, server;
  for (const std::string& statement : statements_of(snippet)) {
    if (statement.starts_with("stream {")) {
      main += statement;
    } else if (statement.starts_with("server {") || statement.starts_with("upstream ") ||
               statement.starts_with("map ") || statement.starts_with("limit_req_zone ") ||
               statement.starts_with("limit_conn_zone ")) {
      http += statement;
    } else {
      server += statement;
    }
  }
  if (main.empty()) {
    if (!has(http, "upstream app")) http += "upstream app { server 127.0.0.1:9000; }\n";
    if (!has(http, "upstream other")) http += "upstream other { server 127.0.0.1:9001; }\n";
    if (!has(http, "\nserver {") && !http.starts_with("server {")) http += "server {\nlisten 8080;\n" + server + "}\n";
    http =
        "http {\naccess_log off; client_body_temp_path body; proxy_temp_path proxy;\n"
        "fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
        "proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection \"\";\n" +
        http + "}\n";
  }
  const std::string module = "/usr/lib/nginx/modules/ngx_stream_module.so";
  const std::string configuration = std::string(main.empty() ? "" : "load_module " + module + ";\n") +
                                    "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents { }\n" +
                                    main + http;
  return std::make_unique<Program>("nginx.conf", configuration, places, [](const TempDir& directory) {
    return Command{{"/usr/sbin/nginx", "-p", directory.path(), "-e", "stderr", "-c", directory / "nginx.conf"}};
  });
}

std::unique_ptr<Proxy> start_haproxy(const std::string& snippet, const Places& places) {
  std::string configuration =
      "global\n    maxconn 200\n    nbthread 1\ndefaults\n    mode http\n    timeout connect 10s\n    timeout client "
      "60s\n"
      "    timeout server 60s\n" +
      snippet;
  if (!has(snippet, "bind ")) configuration += "frontend web\n    bind :8080\n    default_backend app\n";
  if (!has("\n" + snippet, "\nbackend app\n")) configuration += "backend app\n    server one 127.0.0.1:9000\n";
  if (!has("\n" + snippet, "\nbackend other\n")) configuration += "backend other\n    server two 127.0.0.1:9001\n";
  return std::make_unique<Program>("haproxy.cfg", configuration, places, [](const TempDir& directory) {
    return Command{{"/usr/sbin/haproxy", "-db", "-f", directory / "haproxy.cfg"}};
  });
}

std::unique_ptr<Proxy> start_caddy(const std::string& snippet, const Places& places) {
  const std::string global = "{\n    admin off\n    auto_https off\n    default_bind 127.0.0.1\n";
  std::string configuration;
  if (snippet.starts_with("{\n")) {
    configuration = global + snippet.substr(2);
  } else if (has(snippet, ":8080 {")) {
    configuration = global + "}\n" + snippet;
  } else {
    configuration = global + "}\n:8080 {\n" + snippet + "}\n";
  }
  return std::make_unique<Program>("Caddyfile", configuration, places, [](const TempDir& directory) {
    return Command{{"/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", directory / "Caddyfile"},
                   {"HOME=" + directory.path(), "XDG_DATA_HOME=" + directory.path()}};
  });
}

std::unique_ptr<Proxy> start_baton(const std::string& snippet, const Places& places) {
  Settings settings;
  settings.binds = {places.front(8080)};
  settings.timeouts = "";
  settings.workers = 1;  // each has its own round robin
  std::string configuration = snippet;
  if (!has("\n" + snippet, "\nlisteners:")) configuration += "listeners: [ { name: web, bind: \":8080\" } ]\n";
  if (!has("\n" + snippet, "\nupstreams:")) {
    configuration += "upstreams:\n  - { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] }\n";
    if (has(snippet, "upstream: other"))
      configuration += "  - { name: other, servers: [ { address: \"127.0.0.1:9001\" } ] }\n";
  }
  settings.topology = places.made_real(configuration);
  return std::make_unique<RunningBaton>(settings);
}

bool is_installed(const std::string& program) {
  return ::access(program.c_str(), X_OK) == 0;
}

}  // namespace baton::harness
