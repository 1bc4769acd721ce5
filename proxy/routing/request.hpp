// What decides on the route of a request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/state/address.hpp"

namespace baton::routing {

// The header of a request, as a view of any list whose entries have a `name` and a `value`. It must outlive the view.
class Fields {
 public:
  using Visit = void (*)(void* context, std::string_view name, std::string_view value);

  Fields() = default;
  template <class Field>
  explicit Fields(const std::vector<Field>& fields)
      : fields_(&fields), each_([](const void* from, Visit visit, void* context) {
          for (const Field& field : *static_cast<const std::vector<Field>*>(from))
            visit(context, field.name, field.value);
        }) {}
  // The same without those that `is_left_out` says.
  template <class Field, class Predicate>
  Fields(const std::vector<Field>& fields, Predicate)
      : fields_(&fields), each_([](const void* from, Visit visit, void* context) {
          for (const Field& field : *static_cast<const std::vector<Field>*>(from)) {
            if (!Predicate{}(field)) visit(context, field.name, field.value);
          }
        }) {}

  // Calls `visit(name, value)` for each.
  template <class Function>
  void each(Function visit) const {
    if (each_ == nullptr) return;
    each_(
        fields_,
        [](void* context, std::string_view name, std::string_view value) {
          (*static_cast<Function*>(context))(name, value);
        },
        &visit);
  }

 private:
  const void* fields_ = nullptr;
  void (*each_)(const void* from, Visit visit, void* context) = nullptr;
};

struct Request {
  std::string_view host;    // with its port if any
  std::string_view target;  // in any form of RFC 9112 §3.2; the host of an absolute-form one replaces `host` (§3.2.2)
  std::string_view method{};
  Fields fields{};
  const state::SocketAddress* client = nullptr;  // null: its address is unknown
};

// Room that searches need. A thread keeps it from one search to the next.
struct Scratch {
  // The tests of a route table (ValueTests) that the request has passed: those with the number of this search.
  std::vector<std::uint32_t> passed_in;
  std::uint32_t search = 0;
  std::string name;
  std::string value;
  std::string path;
};

}  // namespace baton::routing
