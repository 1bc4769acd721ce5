// What a session answers.
#include <algorithm>
#include <string_view>
#include <utility>

#include "proxy/admin/authorization.hpp"
#include "proxy/admin/metrics.hpp"
#include "proxy/admin/page.hpp"
#include "proxy/admin/session_parts.hpp"
#include "proxy/admin/upgrade_command.hpp"

namespace baton::admin {

namespace {

// Lines of an upgrade kept for a client that reads slowly; further ones are dropped, except for the last.
constexpr std::size_t lines_bytes_max = 64 * 1024;

constexpr std::string_view no_commands_here =
    "commands are accepted only on a Unix socket (admin.bind); without admin.token this address is read-only";

}  // namespace

bool Session::may_command(const Request& request) const {
  return (is_unix_ && !is_of_another_site(request)) ||
         (service_->source.token && carries_token(request, service_->source.token()));
}

void Session::refuse_command(Response& response, std::string_view why) const {
  if (is_unix_) why = "a browser may not command this socket for another site, or by a host name other than localhost";
  if (!service_->source.token || service_->source.token().empty()) {
    return set_text(response, http::status::forbidden, why);
  }
  set_text(response, http::status::unauthorized, "admin.token is missing or wrong (Authorization: Bearer TOKEN)");
  response.set(http::field::www_authenticate, "Bearer realm=\"baton\"");
}

asio::awaitable<Session::Response> Session::answer(Request& request) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::size_t path_end = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, path_end);
  Response response;
  response.set(http::field::cache_control, "no-store");
  const Resource* resource = find_resource(path);
  if (resource == nullptr) {
    set_text(response, http::status::not_found, "not found");
  } else if (!resource->allows(request.method())) {
    set_text(response, http::status::method_not_allowed, "method not allowed");
    response.set(http::field::allow, beast::string_view(resource->allowed.data(), resource->allowed.size()));
  } else if (resource->what == Resource::What::configuration) {
    co_await answer_configuration(response, request, target.substr(std::min(path_end + 1, target.size())));
  } else if (resource->is_read_only()) {
    co_await answer_reading(response, request, resource->what);
  } else {
    co_await answer_command(response, request, *resource);
  }
  co_return response;
}

asio::awaitable<void> Session::answer_reading(Response& response, const Request& request, Resource::What what) {
  switch (what) {
    case Resource::What::status:
      co_await answer_with_status(response, to_json, "application/json");
      break;
    case Resource::What::metrics:
      co_await answer_with_metrics(response, metrics::format_for(request[http::field::accept]));
      break;
    case Resource::What::servers:
      co_await answer_with_status(
          response, [](const Status& status) { return servers_json(status.servers); }, "application/json");
      break;
    case Resource::What::routes:
      co_await answer_with_status(
          response, [](const Status& status) { return routes_json(status.routes); }, "application/json");
      break;
    case Resource::What::page:
      co_await answer_with_page(response);
      for (const auto& [name, value] : page_fields()) response.set(name, value);
      break;
    case Resource::What::history:
      response.set(http::field::content_type, "application/json");
      response.body() = service_->source.history();
      break;
    case Resource::What::events:
      answer_events(response, request.method() == http::verb::head);
      break;
    case Resource::What::healthz:
      set_text(response, http::status::ok, "ok");
      break;
    default:
      if (service_->source.ready()) {
        set_text(response, http::status::ok, "ready");
      } else {
        set_text(response, http::status::service_unavailable, "draining");
      }
  }
}

asio::awaitable<void> Session::answer_with_metrics(Response& response, metrics::Format format) {
  const auto write = format == metrics::Format::openmetrics
                         ? [](const Status& s) { return to_metrics(s, process::usage(), metrics::Format::openmetrics); }
                         : [](const Status& s) { return to_metrics(s, process::usage()); };
  co_await answer_with_status(response, write, metrics::content_type(format));
}

asio::awaitable<void> Session::answer_with_page(Response& response) {
  const auto write = is_unix_ ? [](const Status& status) { return page(status, true); }
                              : [](const Status& status) { return page(status, false); };
  co_await answer_with_status(response, write, page_content_type);
}

asio::awaitable<void> Session::answer_command(Response& response, const Request& request, const Resource& resource) {
  if (!may_command(request)) {
    refuse_command(response, no_commands_here);
  } else if (resource.what == Resource::What::upgrade) {
    answer_upgrade(response, request);
  } else if (resource.what == Resource::What::server) {
    const auto command = read_server_command(request.body());
    const Reply reply = command ? service_->source.server(*command) : Reply{400, command.error()};
    set_text(response, http::int_to_status(reply.status), reply.text);
  } else if (resource.what == Resource::What::promote) {
    begin_upgrade(response, request, {.what = UpgradeCommand::What::promote});
  } else if (resource.what == Resource::What::rollback) {
    begin_upgrade(response, request, {.what = UpgradeCommand::What::rollback});
  } else {
    const std::function<void(ReplySink)> ask = [this,
                                                command = command_of(resource.path, request.method())](ReplySink sink) {
      service_->source.command(command, std::move(sink));
    };
    co_await answer_with_reply(response, ask);
  }
}

asio::awaitable<void> Session::answer_configuration(Response& response, Request& request, std::string_view query) {
  const bool is_put = request.method() == http::verb::put;
  if (!may_command(request)) {
    // It may have passwords for servers, in the fields that routes set.
    refuse_command(response,
                   is_put ? no_commands_here
                          : "the configuration is shown only on a Unix socket (admin.bind), or with admin.token");
  } else if (!is_put) {
    response.set(http::field::content_type, "application/yaml");
    response.body() = service_->source.configuration();
  } else if (auto command = read_configuration_command(query); !command) {
    set_text(response, http::status::bad_request, "the query of a PUT may be `dry_run`, `json` or both");
  } else if (request.body().empty()) {
    set_text(response, http::status::bad_request, "the body must be the whole configuration, as YAML");
  } else {
    command->yaml = std::move(request.body());
    const std::function<void(ReplySink)> ask = [this, &command](ReplySink sink) {
      service_->source.configure(*std::move(command), std::move(sink));
    };
    co_await answer_with_reply(response, ask);
  }
}

// However long it takes: a reload waits for DNS and disks.
asio::awaitable<void> Session::answer_with_reply(Response& response, const std::function<void(ReplySink)>& ask) {
  const auto pending =
      std::make_shared<PendingReply>(asio::steady_timer(stream_.get_executor(), Clock::time_point::max()));
  pending_reply_ = pending;
  ask([weak = std::weak_ptr(pending)](Reply reply) {
    const auto waiting = weak.lock();
    if (!waiting) return;
    waiting->reply = std::move(reply);
    waiting->timer.cancel();
  });
  if (!pending->reply) co_await pending->timer.async_wait(as_result);
  pending_reply_ = nullptr;
  const Reply reply = pending->reply.value_or(Reply{503, "no answer"});
  set_text(response, http::int_to_status(reply.status), reply.text);
  if (reply.is_json) response.set(http::field::content_type, "application/json");
}

void Session::answer_upgrade(Response& response, const Request& request) {
  const auto command = read_upgrade_command(request.body());
  if (!command) return set_text(response, http::status::bad_request, command.error());
  begin_upgrade(response, request, *command);
}

// The lines, if any, are sent afterwards.
void Session::begin_upgrade(Response& response, const Request& request, const UpgradeCommand& command) {
  if (request.version() < 11) {
    set_text(response, http::status::http_version_not_supported, "the answer to an upgrade is chunked: use HTTP/1.1");
    return;
  }
  pending_lines_ = std::make_shared<PendingLines>(asio::steady_timer(stream_.get_executor()));
  const auto take = [weak = std::weak_ptr(pending_lines_)](std::string_view line, bool last) {
    const auto pending = weak.lock();
    if (!pending || pending->ended) return;
    if (last || pending->text.size() < lines_bytes_max) {
      pending->text.reserve(pending->text.size() + line.size() + 1);  // appended whole or, without memory, not at all
      pending->text.append(line).append("\n");
    }
    pending->ended = last;
    pending->timer.cancel();
  };
  if (const auto refusal = service_->source.upgrade(command, take)) {
    pending_lines_.reset();
    set_text(response, http::int_to_status(refusal->status), refusal->text);
  }
}

asio::awaitable<void> Session::answer_with_status(Response& response, std::string (*write)(const Status&),
                                                  std::string_view content_type) {
  pending_status_ = std::make_shared<PendingStatus>(asio::steady_timer(stream_.get_executor()));
  pending_status_->timer.expires_after(service_->limits.exchange);
  // The answer may come at once, after our time limit, or after this session has ended.
  service_->source.status([weak = std::weak_ptr(pending_status_)](Status status) {
    const auto pending = weak.lock();
    if (!pending) return;
    pending->status = std::move(status);
    pending->timer.cancel();
  });
  if (!pending_status_->status) co_await pending_status_->timer.async_wait(as_result);
  const auto pending = std::exchange(pending_status_, nullptr);
  if (!pending->status) {
    set_text(response, http::status::service_unavailable, "no status in time");
  } else {
    response.set(http::field::content_type, beast::string_view(content_type.data(), content_type.size()));
    response.body() = write(*pending->status);
  }
}

void Session::answer_events(Response& response, bool is_head) {
  if (!service_->source.events->has_room(is_unix_)) {
    return set_text(response, http::status::service_unavailable, "too many clients follow the events already");
  }
  response.set(http::field::content_type, "text/event-stream");
  response.set("X-Accel-Buffering", "no");
  becomes_stream_ = !is_head;
}

}  // namespace baton::admin
