// What the admin interface has at which path, and which methods each takes. As a table, without I/O.
#pragma once

#include <boost/beast/http/verb.hpp>

#include <string_view>

#include "proxy/admin/admin.hpp"

namespace baton::admin {

struct Resource {
  enum class What {
    healthz,
    readyz,
    status,
    metrics,
    servers,
    routes,
    page,
    history,
    events,
    configuration,
    server,
    upgrade,
    promote,
    rollback,
    command
  };

  std::string_view path;
  What what;
  std::string_view allowed;  // as the field Allow has it

  bool allows(boost::beast::http::verb method) const;
  // Whether each of its methods only reads, and what it shows is for everybody who reaches the interface.
  bool is_read_only() const;
};

// Null: there is none.
const Resource* find_resource(std::string_view path);

// Of a Resource::What::command.
Command command_of(std::string_view path, boost::beast::http::verb method);

}  // namespace baton::admin
