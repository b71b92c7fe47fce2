//! [`Connection`]: the addresses by which a client is found in the log of a server.

use std::{
    collections::HashSet,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use super::life::Link;

/// Both addresses of a TCP connection. The client's alone does not identify it: the kernel may give one port to two
/// connections to different servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    pub client: SocketAddr,
    pub server: SocketAddr,
}

impl Connection {
    /// The connection of a link; `None` if it has ended.
    pub fn of(link: &Link) -> Option<Self> {
        match link {
            Link::Socket(stream) => {
                Some(Self { client: stream.local_addr().ok()?, server: stream.peer_addr().ok()? })
            }
            Link::Program(child, _) => Self::of_process(child.id()),
        }
    }

    /// The only TCP connection of a process, according to proc(5).
    fn of_process(id: u32) -> Option<Self> {
        let process = PathBuf::from(format!("/proc/{id}"));
        let files = fs::read_dir(process.join("fd")).ok()?.flatten();
        let inodes: HashSet<String> = files
            .filter_map(|file| fs::read_link(file.path()).ok()?.to_str().map(str::to_owned))
            .filter_map(|name| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let table = fs::read_to_string(process.join("net/tcp")).ok()?;
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_its_own = fields.get(9).is_some_and(|inode| inodes.contains(*inode));
            let connection = || Some(Self { client: address(fields[1])?, server: address(fields[2])? });
            is_its_own.then(connection).flatten()
        })
    }
}

/// Reads an address as `/proc/net/tcp` gives it: the IPv4 address and the port in hexadecimal, the address in the byte
/// order of the machine.
fn address(field: &str) -> Option<SocketAddr> {
    let (ip, port) = field.split_once(':')?;
    let ip = u32::from_str_radix(ip, 16).ok()?.to_ne_bytes();
    Some((Ipv4Addr::from(ip), u16::from_str_radix(port, 16).ok()?).into())
}
