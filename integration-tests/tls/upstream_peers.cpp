#include "tls/upstream_peers.hpp"

namespace baton::harness {

namespace {

class NginxServer : public TlsServer {
 public:
  NginxServer(const Address& origin, const TlsServerOptions& options) : nginx_("ssl", lines(origin, options)) {}
  const Address& address() const override { return nginx_.address(); }

 private:
  static std::string lines(const Address& origin, const TlsServerOptions& options) {
    std::string text = "ssl_certificate " + options.certificate.cert + "; ssl_certificate_key " +
                       options.certificate.key + "; ssl_protocols TLSv" + options.version +
                       "; ssl_session_cache shared:sessions:1m;\n";
    if (!options.client_ca.empty())
      text += "ssl_verify_client optional; ssl_client_certificate " + options.client_ca + ";\n";
    return text +
           "set $resumed 0; if ($ssl_session_reused = r) { set $resumed 1; }\n"
           "add_header X-Resumed $resumed always; add_header X-Port $remote_port always;\n"
           "add_header X-Name $ssl_server_name always; add_header X-Client $ssl_client_s_dn always;\n"
           "proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; client_max_body_size 0;\n"
           "location / { proxy_pass http://" +
           origin.text() +
           "; proxy_set_header Connection \"\"; }\n"
           "location /websocket { proxy_pass http://" +
           origin.text() + "; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }\n";
  }
  Nginx nginx_;
};

class HaproxyServer : public TlsServer {
 public:
  HaproxyServer(const Address& origin, const TlsServerOptions& options) {
    replace_file(directory_ / "site.pem", read_file(options.certificate.cert) + read_file(options.certificate.key));
    const std::string verify = options.client_ca.empty() ? "" : " verify optional ca-file " + options.client_ca;
    replace_file(directory_ / "haproxy.cfg",
                 "global\n  maxconn 200\n"
                 "defaults\n  mode http\n  timeout connect 60s\n  timeout client 60s\n  timeout server 60s\n"
                 "frontend tls\n  bind " +
                     address_.text() + " ssl crt " + directory_ / "site.pem" + " ssl-min-ver TLSv" + options.version +
                     " ssl-max-ver TLSv" + options.version + verify +
                     "\n"
                     "  http-response set-header X-Resumed %[ssl_fc_is_resumed]\n"
                     "  http-response set-header X-Port %[src_port]\n"
                     "  http-response set-header X-Name %[ssl_fc_sni]\n"
                     "  http-response set-header X-Client %{+Q}[ssl_c_s_dn]\n"
                     "  default_backend origin\n"
                     "backend origin\n  server origin " +
                     origin.text() + "\n");
    process_ = std::make_unique<Process>(Command{{"/usr/sbin/haproxy", "-db", "-f", directory_ / "haproxy.cfg"}});
    try {
      await([this] { return is_alive(process_->pid()) && is_listening(address_); }, "HAProxy to listen");
    } catch (const Failure& failure) {
      throw Failure(std::string(failure.what()) + "\n" + process_->err());
    }
  }
  const Address& address() const override { return address_; }

 private:
  TempDir directory_;
  Address address_ = loopback(free_port());
  std::unique_ptr<Process> process_;
};

}  // namespace

std::unique_ptr<TlsServer> nginx_before(const Address& origin, const TlsServerOptions& options) {
  return std::make_unique<NginxServer>(origin, options);
}

std::unique_ptr<TlsServer> haproxy_before(const Address& origin, const TlsServerOptions& options) {
  return std::make_unique<HaproxyServer>(origin, options);
}

}  // namespace baton::harness
