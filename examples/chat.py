"""Chat through Arauto. With the server running (`cargo run --release -- serve`), in another terminal:

    python3 examples/chat.py alan
    python3 examples/chat.py alan 127.0.0.1 1234

What you type goes to everyone; a line that begins with / goes to the server as it is: try /help.
Ctrl-D or /exit leaves. One line on the wire is one message: SENDER | DESTINATION | OPERATION | DATA
"""

import os
import signal
import socket
import sys
import threading


def show_messages(server):
    for line in server.makefile(encoding="utf-8", newline="\n"):
        sender, _destination, operation, data = line.rstrip("\n").split(" | ", 3)
        print(f"{sender} ({operation}): {data}", flush=True)
    os._exit(0)  # The server closed the connection: leave, even while the other thread waits for the keyboard.


def main(name, host="127.0.0.1", port="1234"):
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends this at once.
    server = socket.create_connection((host, int(port)))
    threading.Thread(target=show_messages, args=(server,)).start()
    server.sendall(f"{name}\n".encode())  # This answers the server's first message, which asks for a name.
    for typed in sys.stdin:
        message = typed.rstrip("\n")
        if message and not message.startswith("/"):
            message = f"{name} | all clients | broadcast | {message}"
        server.sendall(f"{message}\n".encode())
    server.shutdown(socket.SHUT_WR)  # Nothing more to say; the server closes when all is answered.


main(*sys.argv[1:])
