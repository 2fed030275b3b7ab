"""The far side of a host's network: HTTPS servers by given certificates, artifacts, and a Date that may be shifted.

world.py DIRECTORY PORT=CERTIFICATE... : DIRECTORY/CERTIFICATE.pem and .key; PORT= speaks HTTP.
DIRECTORY/shift, if there: seconds that the Date header is off.
"""
import email.utils
import http.server
import os
import ssl
import sys
import threading
import time

directory = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def date_time_string(self, timestamp=None):
        try:
            with open(os.path.join(directory, "shift")) as file:
                shift = float(file.read())
        except OSError:
            shift = 0
        return email.utils.formatdate(time.time() + shift, usegmt=True)

    def do_GET(self):
        # Large enough to measure with; "slow" comes at about 40 Mbit/s.
        body = b"x" * (4_000_000 if self.path.startswith("/artifacts/") else 4)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "GET":
            return
        pause = 0.01 if self.path.endswith("/slow") else 0
        for start in range(0, len(body), 50_000):
            self.wfile.write(body[start:start + 50_000])
            time.sleep(pause)

    do_HEAD = do_GET


for argument in sys.argv[2:]:
    port, certificate = argument.split("=")
    server = http.server.ThreadingHTTPServer(("0.0.0.0", int(port)), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(directory, certificate + ".pem"), os.path.join(directory, certificate + ".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening", flush=True)
threading.Event().wait()
