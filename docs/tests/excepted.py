"""Commands that the sandbox cannot run: why, and what runs them instead. A block of such commands says
`<!-- not run: KIND -->`. Each of its lines must begin with one of the kind's programs, be valid for bash, and name only
commands and options that `baton` has, and files that exist (commands_test)."""

EXCEPTED = {
    # kind: (programs, the reason, what runs them)
    "build": (
        ("integration-tests/conformance/run", "cmake -S handoff", "cmake --build build", "cmake --install build",
         "docker/demo.sh", "sudo docker/test.sh"),
        "it takes minutes, or other proxies",
        "conformance_test, install_test (the library as well), and containers_test"),
    "docker": (
        ("docker ", "docker-compose ", "DOCKER_BUILDKIT=1 docker build", "BATON_GREEN=baton:2 docker-compose",
         "BATON_BLUE=baton:3 docker-compose"),
        "it needs a Docker engine",
        "containers_test builds the images, and does the same in images_test.sh, compose_test.py and demo.sh"),
    "kubernetes": (
        ("kubectl ",),
        "it needs a cluster",
        "docker/kubernetes/play.sh plays the cluster in containers_test; kubernetes_manifests_test checks the "
        "manifests, whose names these commands must use"),
    "systemd": (
        ("systemctl ", "systemd-sysusers", "sudo apt install", "scripts/package", "cmake --preset", "cmake --build",
         "cmake --install", "install -D -m 644 packaging/baton.yaml"),
        "it compiles, and changes the machine",
        "install_test and package_test install both ways; package_upgrade_test types the table of docs/systemd.md "
        "under a systemd of its own"),
    "certbot": (
        ("certbot certonly", "install -m 755 packaging/certbot/baton-reload", "python3 -m http.server",
         "mkdir -p /var/lib/acme"),
        "it needs a certificate authority",
        "tls_folders_test runs these commands with the real certbot, up to the authority, and the hook"),
    "prometheus": (
        (),
        "it is a configuration of Prometheus",
        "monitoring_test gives it to promtool"),
    "htpasswd": (
        ("htpasswd ",),
        "it is in a package of Apache's",
        "passwords_test verifies such hashes"),
}
