#include "demo/contrast.hpp"

#include <fmt/format.h>

#include "demo/nginx.hpp"

namespace baton::demo {

using boost::asio::ip::tcp;
using namespace std::chrono_literals;

Contrast reload_nginx(const std::string& program, tcp::endpoint origin, const Mix& mix, const TempDir& dir,
                      Patience& patience, std::chrono::milliseconds watched) {
  Nginx nginx(program, origin, dir, patience);
  Contrast contrast{.version = nginx.version(), .before = {}, .after = {}, .watched = watched};
  Tally tally;
  {
    Load load({{.server = {.http = {nginx.endpoint(), nullptr}, .tcp = {}}, .mix = mix.requests_only()}}, tally);
    const auto all_asked = [&] { return tally.totals().answered >= mix.keep_alive + mix.idle / 2; };
    if (!patience.wait_until(all_asked, hung_after)) nginx.give_up("the clients get no answers through nginx");
    patience.wait(500ms);
    contrast.before = tally.totals();
    nginx.reload();
    const auto all_closed = [&] { return tally.totals().closes() >= mix.keep_alive + mix.idle / 2; };
    patience.wait_until(all_closed, watched);
    contrast.after = tally.totals();
  }
  nginx.stop();
  return contrast;
}

std::vector<std::string> describe(const Contrast& contrast) {
  const auto lost = contrast.after.closes() - contrast.before.closes();
  const auto cut = contrast.after.of(Trouble::closed_in_request) - contrast.before.of(Trouble::closed_in_request);
  return {
      fmt::format("For contrast, one reload (SIGHUP) of {} under as many", contrast.version),
      "plain clients, streams and tunnels left out:",
      fmt::format("  {} of {} connections closed within {:g} s, {} of them with a request under", lost,
                  contrast.before.opened, std::chrono::duration<double>(contrast.watched).count(), cut),
      "  way. nginx ran with its defaults and worked as designed: it goes on accepting,",
      "  and a browser connects again. But live connections stay with its old worker,",
      "  which closes idle ones at once and others after their next answer.",
  };
}

}  // namespace baton::demo
