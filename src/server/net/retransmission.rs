//! Reads from `/proc/net/tcp` whether a connection's peer still acknowledges anything (proc(5), Linux).
//!
//! The kernel probes an idle connection by keepalive; one with unacknowledged data it retransmits instead. A dead
//! peer leaves every probe and every retransmission unanswered, while a living peer that merely does not read
//! acknowledges each. Any acknowledgement resets all counts.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    os::{fd::RawFd, unix::fs::MetadataExt},
};

/// Unanswered keepalive probes, 1 s apart, after which the peer counts as dead. A single packet may have been lost.
const ASKED: u32 = 2;

/// Unanswered retransmissions of the oldest data after which the peer counts as dead. The kernel retransmits after
/// 0.2, 0.4, 0.8 s and so on, later on slow lines: 3 take at least 1.4 s. A probe that went unanswered before the
/// data was sent counts as well.
const REPEATED: u32 = 3;

/// Unanswered window probes after which the peer counts as dead. The peer's kernel answers at most two per second, so
/// a living peer may leave one or two unanswered. The interval between probes grows, so this detects only a peer that
/// has been gone for a while.
const ASKED_FOR_ROOM: u32 = 3;

/// The inode number under which the kernel lists a socket.
///
/// # Errors
/// If the kernel knows no such descriptor.
pub fn inode(socket: RawFd) -> io::Result<u64> {
    Ok(fs::metadata(format!("/proc/self/fd/{socket}"))?.ino())
}

/// Whether the peer of this socket has left enough probes or retransmissions unanswered. False if the kernel does not
/// list the socket.
pub fn is_unanswered(inode: u64) -> bool {
    ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().any(|table| {
        let Ok(table) = fs::File::open(table) else { return false };
        BufReader::new(table).lines().map_while(Result::ok).any(|row| is_row_unanswered(&row, inode))
    })
}

/// Evaluates one row: `sl local remote state tx:rx timer:when repeated uid asked inode …`. `repeated` is hexadecimal.
/// The header calls `asked` `timeout`; it counts probes since the last answer.
fn is_row_unanswered(row: &str, inode: u64) -> bool {
    let mut fields = row.split_ascii_whitespace().skip(5);
    let timer = fields.next().and_then(|timer| timer.split(':').next());
    let repeated = fields.next().and_then(|repeated| u32::from_str_radix(repeated, 16).ok());
    let asked = fields.nth(1).and_then(|asked| asked.parse::<u32>().ok());
    let listed = fields.next().and_then(|inode| inode.parse::<u64>().ok());
    let (Some(timer), Some(repeated), Some(asked), true) = (timer, repeated, asked, listed == Some(inode))
    else {
        return false;
    };
    match timer {
        // Retransmission timer.
        "01" => asked >= ASKED || asked + repeated >= REPEATED,
        // Keepalive timer.
        "02" => asked >= ASKED,
        // Window probe timer: the peer has no room, or had none when it last answered.
        "04" => asked >= ASKED_FOR_ROOM,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(timer: &str, repeated: &str, asked: u32, inode: u64) -> String {
        format!(
            "   7: 0100007F:1F90 0200007F:C350 01 00000010:00000000 {timer}:00000012 {repeated}     0        {asked} {inode} 2 \
             0000000000000000 20 4 30 10 -1"
        )
    }

    #[test]
    fn only_what_that_socket_left_unanswered_counts() {
        for (timer, repeated, asked, is_dead) in [
            ("01", "00000002", 0, false),
            ("01", "00000003", 0, true),
            ("01", "0000000A", 0, true),
            ("01", "00000001", 1, false),
            ("01", "00000002", 1, true),
            ("01", "00000000", 2, true),
            ("02", "00000005", 0, false),
            ("02", "00000000", 1, false),
            ("02", "00000000", 2, true),
            ("04", "00000005", 2, false),
            ("04", "00000000", 3, true),
            ("00", "00000005", 5, false),
        ] {
            let row = row(timer, repeated, asked, 42);
            assert_eq!(is_row_unanswered(&row, 42), is_dead, "{row}");
            assert!(!is_row_unanswered(&row, 43));
        }
        let header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert!(!is_row_unanswered(header, 42));
    }

    #[test]
    fn a_living_connection_is_listed_and_answered() {
        use std::os::fd::AsRawFd;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let inode = inode(socket.as_raw_fd()).unwrap();
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        assert!(table.split_ascii_whitespace().any(|field| field == inode.to_string()));
        assert!(!is_unanswered(inode));
    }
}
