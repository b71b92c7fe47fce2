//! [`ReportServer`]: a server like the report's, with no line endings, one message per read, and one thread per client.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

/// How the server writes messages to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Each message in one write.
    Whole,
    /// Each message in two writes, split in the middle.
    Halves,
    /// Messages from other clients wait until the server answers this client, and go out in the same write.
    Together,
}

use crate::{Client, NAME_REQUEST, confirmation};

/// A server on a free port. It serves until the test program ends.
pub struct ReportServer {
    address: SocketAddr,
    house: Arc<Mutex<House>>,
}

struct House {
    delivery: Delivery,
    clients: Vec<Member>,
}

struct Member {
    name: String,
    stream: TcpStream,
    held: String,
}

impl ReportServer {
    /// Starts a server that writes to its clients in this manner.
    pub fn start(delivery: Delivery) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let house = Arc::new(Mutex::new(House { delivery, clients: Vec::new() }));
        let shared = Arc::clone(&house);
        // This thread ends with the test program: nothing else wakes it.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let house = Arc::clone(&shared);
                thread::spawn(move || receive(stream.unwrap(), &house));
            }
        });
        Self { address, house }
    }

    /// The address to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects a test client with this name.
    pub fn join(&self, name: &str) -> Client {
        let mut client = Client::to(self.address());
        client.ending = "";
        client.expect(NAME_REQUEST);
        client.ask(&format!("{name} | server | name | {name}"), &confirmation(name));
        client
    }

    /// Closes all connections without a message.
    pub fn cut(&self) {
        for member in lock(&self.house).clients.drain(..) {
            let _ = member.stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for ReportServer {
    fn drop(&mut self) {
        self.cut();
    }
}

fn lock(house: &Mutex<House>) -> MutexGuard<'_, House> {
    house.lock().unwrap()
}

/// Takes one `recv(1024)` for a message; `None` at the end.
fn recv(stream: &mut TcpStream) -> Option<[String; 4]> {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).ok().filter(|length| *length > 0)?;
    let text = std::str::from_utf8(&buffer[..length]).unwrap();
    let fields: Vec<String> = text.split(" | ").map(str::to_owned).collect();
    // The report's server takes two messages in one read for one message; here the client must not let that happen.
    Some(fields.try_into().unwrap_or_else(|_| panic!("not one message: {text:?}")))
}

fn receive(mut stream: TcpStream, house: &Mutex<House>) {
    stream.set_nodelay(true).unwrap();
    write(&mut stream, lock(house).delivery, "server | client | name | no data");
    let Some([_, _, _, name]) = recv(&mut stream) else { return };
    {
        let mut house = lock(house);
        if house.clients.iter().any(|member| member.name == name) {
            let why = "This username is already taken. You need to connect again and use another one";
            let refusal = format!("server | new_client: {name} | connection_error | {why}");
            return write(&mut stream, house.delivery, &refusal);
        }
        let member = Member { name: name.clone(), stream: stream.try_clone().unwrap(), held: String::new() };
        house.clients.push(member);
        let confirmed = "connection_confirmation | You are now connected to the server";
        house.answer(&name, &format!("server | {name} | {confirmed}"));
    }
    while let Some(message) = recv(&mut stream) {
        if !lock(house).handle(&name, message) {
            return;
        }
    }
    lock(house).clients.retain(|member| member.name != name);
}

impl House {
    /// Carries out a message. Returns whether the client stays connected.
    fn handle(&mut self, name: &str, [sender, destination, operation, data]: [String; 4]) -> bool {
        match operation.as_str() {
            "Unknown operation" => {
                let data = format!("Operation ({data}) is not supported");
                self.answer(name, &format!("server | {sender} | Unknown_operation | {data}"));
            }
            "echo" => self.answer(name, &format!("{sender} | {sender} | echo | {data}")),
            "broadcast" | "broadcast_not_me" => {
                let message = format!("{sender} | all clients | {operation} | {data}");
                let names: Vec<String> = self.clients.iter().map(|member| member.name.clone()).collect();
                for to in names {
                    if to != name {
                        self.tell(&to, &message);
                    } else if operation == "broadcast" {
                        self.answer(name, &message);
                    }
                }
            }
            "list_clients" => {
                let names: Vec<&str> = self.clients.iter().map(|member| member.name.as_str()).collect();
                let names = names.join(" , ");
                self.answer(name, &format!("server | {sender} | list_clients | clients connected: {names} "));
            }
            "list_files" if destination.is_empty() => {
                self.answer(name, &format!("server | {sender} | list_files | Client name not informed!"));
            }
            "list_files" if self.clients.iter().any(|member| member.name == destination) => {
                self.tell(&destination, &format!("{sender} | {destination} | {operation} | {data}"));
            }
            "exit" => {
                let gone = self.clients.iter().position(|member| member.name == name);
                let mut gone = self.clients.remove(gone.expect("a member"));
                // The member is already removed: its name is free once the client reads this.
                let last = gone.held + &format!("server | {sender} | exit | client disconnected");
                write(&mut gone.stream, self.delivery, &last);
                let _ = gone.stream.shutdown(Shutdown::Both);
                return false;
            }
            "close_server" => {
                for member in &mut self.clients {
                    let closed = "server | all clients | broadcast | server closed";
                    write(&mut member.stream, self.delivery, closed);
                    let _ = member.stream.shutdown(Shutdown::Both);
                }
                return false;
            }
            _ => {
                let data = format!("Destination client ({destination}) not found!");
                self.answer(name, &format!("server | {sender} | {operation} | {data}"));
            }
        }
        true
    }

    /// Sends a client the answer to its request, after the messages held for it.
    fn answer(&mut self, name: &str, message: &str) {
        let delivery = self.delivery;
        let Some(member) = self.clients.iter_mut().find(|member| member.name == name) else { return };
        let held = std::mem::take(&mut member.held);
        write(&mut member.stream, delivery, &(held + message));
    }

    /// Sends a client a message from another client, or holds it.
    fn tell(&mut self, name: &str, message: &str) {
        let delivery = self.delivery;
        let Some(member) = self.clients.iter_mut().find(|member| member.name == name) else { return };
        if delivery == Delivery::Together {
            member.held.push_str(message);
        } else {
            write(&mut member.stream, delivery, message);
        }
    }
}

fn write(stream: &mut TcpStream, delivery: Delivery, text: &str) {
    let bytes = text.as_bytes();
    let cut = if delivery == Delivery::Halves { bytes.len() / 2 } else { 0 };
    // Fails if the client has disconnected; its own thread removes it.
    let _ = stream.write_all(&bytes[..cut]).and_then(|()| stream.write_all(&bytes[cut..]));
}
