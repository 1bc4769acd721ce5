#include "handoff/spare.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "handoff/insist.hpp"

namespace baton::handoff {

namespace {

constexpr const char* name_in_estate = "@spare";

}  // namespace

UniqueFd Spare::open(Estate& estate) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return {};
  channel_.emplace(UniqueFd(ends[0]));
  UniqueFd theirs(ends[1]);
  estate.sockets.push_back({name_in_estate, {}, theirs.get()});
  return theirs;
}

void Spare::take_from(Inheritance& inheritance) {
  const auto found = std::ranges::find(inheritance.sockets, name_in_estate, &InheritedSocket::name);
  if (found == inheritance.sockets.end()) return;
  channel_.emplace(std::move(found->descriptor));
  inheritance.sockets.erase(found);
}

bool Spare::begins_with(Kind kind) {
  if (!channel_) return false;
  // Nobody who asks can do without the answer.
  return insist([&] {
    const auto said = channel_->look();
    return said && *said != nullptr && (*said)->kind == kind;
  });
}

}  // namespace baton::handoff
