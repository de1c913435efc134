"""No relay at all, and the two proxies that any relay is measured by: nginx and HAProxy, one worker each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.machine import RELAY_CORE, children, free_port, pin_to, wait_for_port
from bench.peers.process import NotHere, Running, Setup, program, started

_NGINX: Final = """\
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 20000; }}
http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port} {tls_listen} backlog=4096; {tls_server}
    location / {{
    proxy_pass {scheme}://127.0.0.1:{provider}; proxy_http_version 1.1; proxy_buffer_size 64k;
    proxy_buffers 8 64k; proxy_busy_buffers_size 128k;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection Upgrade; {tls_proxy}
    proxy_read_timeout 3600s; proxy_send_timeout 3600s; }} }} }}
"""
_NGINX_REQUESTS: Final = """\
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 20000; }}
http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; keepalive_requests 1000000;
  upstream provider {{ server 127.0.0.1:{provider}; keepalive 64; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; client_max_body_size 64m; client_body_buffer_size 1m;
    location / {{
    proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_buffering off; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; }} }} }}
"""
"""Connections to the provider stay open, and what comes goes on at once."""
_NGINX_TLS_SERVER: Final = "ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;"
_NGINX_TLS_PROXY: Final = (
    "proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on; proxy_ssl_trusted_certificate {cert};"
    " proxy_ssl_name localhost;"
)
_HAPROXY: Final = """\
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend in
  bind 127.0.0.1:{port} backlog 4096 {tls_bind}
  default_backend out
backend out
  server one 127.0.0.1:{provider} {tls_server}
"""


@contextmanager
def direct(setup: Setup) -> Iterator[Running]:
    """What the load itself has of latency."""
    yield Running(setup.provider)


@contextmanager
def nginx(setup: Setup) -> Iterator[Running]:
    _one_worker(setup)
    with tempfile.TemporaryDirectory() as folder:
        port, certificate = free_port(), setup.certificate
        files = {"cert": certificate.path, "key": certificate.key_path} if certificate else {}
        config = Path(folder) / "nginx.conf"
        config.write_text(
            _NGINX.format(
                dir=folder,
                port=port,
                provider=setup.provider,
                scheme="https" if certificate else "http",
                tls_listen="ssl" if certificate else "",
                tls_server=_NGINX_TLS_SERVER.format(**files) if certificate else "",
                tls_proxy=_NGINX_TLS_PROXY.format(**files) if certificate else "",
            )
        )
        command = [program("nginx"), "-p", folder, "-c", str(config)]
        with started(command, Path(folder) / "log") as process:
            wait_for_port(port)
            relay = [process.pid, *children(process.pid)]
            pin_to(RELAY_CORE, relay)
            yield Running(port, relay=relay, log=Path(folder) / "error.log")


@contextmanager
def nginx_requests(setup: Setup) -> Iterator[Running]:
    """As it is set up before such a provider."""
    with tempfile.TemporaryDirectory() as folder:
        port, config = free_port(), Path(folder) / "nginx.conf"
        config.write_text(_NGINX_REQUESTS.format(dir=folder, port=port, provider=setup.provider))
        command = [program("nginx"), "-p", folder, "-c", str(config)]
        with started(command, Path(folder) / "log") as process:
            wait_for_port(port)
            relay = [process.pid, *children(process.pid)]
            pin_to(RELAY_CORE, relay)
            yield Running(port, relay=relay, log=Path(folder) / "error.log")


@contextmanager
def haproxy(setup: Setup) -> Iterator[Running]:
    _one_worker(setup)
    with tempfile.TemporaryDirectory() as folder:
        port, certificate = free_port(), setup.certificate
        config = Path(folder) / "haproxy.cfg"
        config.write_text(
            _HAPROXY.format(
                port=port,
                provider=setup.provider,
                tls_bind=f"ssl crt {certificate.joined} ssl-min-ver TLSv1.3" if certificate else "",
                tls_server=f"ssl verify required ca-file {certificate.path}" if certificate else "",
            )
        )
        with started([program("haproxy"), "-f", str(config), "-db"], Path(folder) / "log") as process:
            wait_for_port(port)
            pin_to(RELAY_CORE, [process.pid])
            yield Running(port, relay=[process.pid], log=Path(folder) / "log")


def _one_worker(setup: Setup) -> None:
    if setup.workers != 1:
        raise NotHere("is measured with one worker only")
