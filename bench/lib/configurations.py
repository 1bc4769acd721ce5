"""Changes of configs/baton.yaml for the rows that compare Baton with itself."""

import re

ORIGIN = '"127.0.0.1:@ORIGIN@"'
ORIGIN_AGAIN = '"[::ffff:127.0.0.1]:@ORIGIN@"'      # another server to Baton


def routing(text):
    """`text` in the place of the upstreams."""
    return lambda template: re.sub(r"^upstreams:\n(?: .*\n)+", lambda _: text, template, flags=re.MULTILINE)


def workers(number, edit=lambda template: template):
    return lambda template: edit(template).replace("workers: 1\n", f"workers: {number}\n")


def one_route():
    return routing(f"routes:\n  - upstream: origin\n{upstream('origin', [ORIGIN])}")


def many_routes(hosts=1_000, routes_each=10, upstreams=0, servers_each=10, version=0):
    """All other requests go to the origin, and without upstreams the routes do, too. Each `version` has other servers
    in a tenth of the upstreams, and sends the requests of a tenth of the routes elsewhere."""
    lines, number = ["routes:\n"], 0
    for host in range(hosts):
        for prefix in range(routes_each):
            place = number + (version if number % 10 == 0 else 0)
            to = f"app-{place % upstreams}" if upstreams else "origin"
            lines.append(f"  - {{ match: {{ host: host-{host}.example.com, path_prefix: /v{prefix} }}, upstream: {to} }}\n")
            number += 1
    lines.append(f"  - upstream: origin\n{upstream('origin', [ORIGIN])}")
    for i in range(upstreams):
        third = 1 + version % 200 if i % 10 == 0 else 0
        lines.append(upstream(f"app-{i}", [f'"127.{1 + i // 250}.{third}.{1 + j}:{10_000 + i}"' for j in range(servers_each)], False))
    return routing("".join(lines))


def shared():
    """Those whose requests write memory that workers share, by name, each beside the nearest that does not."""

    def servers(keys):
        return routing(f"routes:\n  - upstream: origin\n{upstream('origin', [ORIGIN, ORIGIN_AGAIN], keys=keys)}")

    rate = "    rate_limit: { requests: 100000, per: 1s, by: client }\n"
    return {
        "one server": one_route(),
        "one server, rate_limit": routing(f"routes:\n  - upstream: origin\n{rate}{upstream('origin', [ORIGIN])}"),
        "two servers": servers(""),
        "two servers, least_connections": servers(", balance: least_connections"),
    }


def upstream(name, addresses, is_first=True, keys=""):
    servers = ", ".join(f"{{ address: {address} }}" for address in addresses)
    return ("upstreams:\n" if is_first else "") + f"  - {{ name: {name}, servers: [ {servers} ]{keys} }}\n"
