"""A client that behaves as the one of the TR2.23 report does, for the tests.

What a server has to cope with is kept: one send() a message and no line ending, one recv(1024) taken for one
message, fields split at " | " and compared as they are. Menu and pauses are the report's, too, but where it
always waits for as long as an answer may take, this one goes on when something has come.

Started with `python3 report_client.py PORT`, it reads its name and then its operations from standard input, and
shows each message as a JSON list of its fields, so that not a byte more or less passes unseen.
"""

import json
import os
import socket
import sys
import threading
import traceback

BUFFER_SIZE = 1024
SEPARATOR = " | "
NO_DATA = "no data"
MY_FILES = ["File 1", "File 2", "File 3"]

# Seconds the report's client gives the server before it asks for the next operation.
PAUSE = 0.3
LONG_PAUSE = 1.3


def show(text):
    # One write: two threads show something, and a line must not be torn.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ask(question):
    """The next line of input; questions are for people only."""
    return input(question if sys.stdin.isatty() else "")


class ReportClient:
    def __init__(self, name, port):
        self.name = name
        self.something_came = threading.Event()
        self.connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.connection.connect(("127.0.0.1", port))

    def send(self, destination, operation, data=NO_DATA):
        fields = (self.name, destination, operation, data)
        self.connection.send(SEPARATOR.join(fields).encode("utf-8"))

    def receive_until_closed(self):
        """Takes messages until one of them is the last; tells the exit status."""
        while True:
            received = self.connection.recv(BUFFER_SIZE)
            if not received:
                show("connection lost")
                return 1
            fields = received.decode("utf-8").split(SEPARATOR)
            show(json.dumps(fields, ensure_ascii=False, separators=(",", ":")))
            sender, _destination, operation, data = fields[:4]
            if operation == "name":
                self.send("server", "name", self.name)
            elif operation == "list_files" and data == NO_DATA:
                self.send(sender, "list_files", str(MY_FILES))
            elif is_last(operation, data):
                show("closing client...")
                self.connection.close()
                return 0
            self.something_came.set()

    def send_what_is_typed(self):
        while True:
            typed = ask("Operation: ")
            pause, message = self.message_for(typed)
            self.something_came.clear()
            self.send(*message)
            self.something_came.wait(pause)

    def message_for(self, typed):
        """How long to wait after sending it, and destination, operation and data of what the user wants."""
        if typed == "echo":
            return PAUSE, (self.name, "echo", ask("Text: "))
        if typed == "broadcast":
            everyone_else = ask("To everyone but yourself, y or n? ") == "y"
            operation = "broadcast_not_me" if everyone_else else "broadcast"
            return LONG_PAUSE, ("all clients", operation, ask("Text: "))
        if typed == "list clients":
            return PAUSE, ("server", "list_clients")
        if typed == "list files":
            return PAUSE, (ask("Whose? "), "list_files")
        if typed == "exit":
            return LONG_PAUSE, ("server", "exit", f"client {self.name} closed")
        if typed == "close server":
            return LONG_PAUSE, ("server", "close_server", "close server")
        return PAUSE, ("server", "Unknown operation", typed)


def is_last(operation, data):
    server_closed = operation == "broadcast" and data == "server closed"
    return server_closed or operation in ("exit", "connection_error")


def receive_and_exit(client):
    status = 1
    try:
        status = client.receive_until_closed()
    except Exception:
        traceback.print_exc()
    # Not sys.exit(): the main thread may wait for input that never comes.
    os._exit(status)


def main():
    client = ReportClient(ask("Name: "), int(sys.argv[1]))
    receiver = threading.Thread(target=receive_and_exit, args=(client,))
    receiver.start()
    try:
        client.send_what_is_typed()
    except EOFError:
        receiver.join()


main()
