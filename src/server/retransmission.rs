//! What the kernel knows of data that nobody acknowledges, read from `/proc/net/tcp` (proc(5), Linux).
//!
//! Keepalive asks idle connections only. Of one with data on the way, this tells a dead other end, which lets every
//! repetition go unanswered, from a living one that merely does not read and acknowledges each question.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    os::{fd::RawFd, unix::fs::MetadataExt},
};

/// Repetitions of the oldest data without any answer, after which nobody is taken to be there. The kernel repeats after
/// 0.2, 0.4, 0.8 s and so on, longer on slow lines: 3 take at least 1.4 s.
const UNANSWERED: u32 = 3;

/// The timer that runs for a connection whose data is repeated; others stand for idle and stopped ones.
const REPEATING: &str = "01";

/// The number under which the kernel lists a socket.
pub fn inode(socket: RawFd) -> io::Result<u64> {
    Ok(fs::metadata(format!("/proc/self/fd/{socket}"))?.ino())
}

/// Whether the other end of this socket has left several repetitions unanswered. False where the kernel does not tell.
pub fn is_unanswered(inode: u64) -> bool {
    ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().any(|table| {
        let Ok(table) = fs::File::open(table) else { return false };
        BufReader::new(table).lines().map_while(Result::ok).any(|row| is_row_unanswered(&row, inode))
    })
}

/// One row: `sl local remote state tx:rx timer:when retransmissions uid timeout inode …`.
fn is_row_unanswered(row: &str, inode: u64) -> bool {
    let mut fields = row.split_ascii_whitespace().skip(5);
    let (timer, repeated) = (fields.next(), fields.next());
    let listed = fields.nth(2).and_then(|inode| inode.parse::<u64>().ok());
    listed == Some(inode)
        && timer.and_then(|timer| timer.split(':').next()) == Some(REPEATING)
        && repeated.is_some_and(|repeated| u32::from_str_radix(repeated, 16).is_ok_and(|n| n >= UNANSWERED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(timer: &str, repeated: &str, inode: u64) -> String {
        format!(
            "   7: 0100007F:1F90 0200007F:C350 01 00000010:00000000 {timer}:00000012 {repeated}     0        0 {inode} 2 \
             0000000000000000 20 4 30 10 -1"
        )
    }

    #[test]
    fn only_repeated_unanswered_data_of_that_socket_counts() {
        assert!(is_row_unanswered(&row("01", "00000003", 42), 42));
        assert!(is_row_unanswered(&row("01", "0000000A", 42), 42));
        assert!(!is_row_unanswered(&row("01", "00000003", 42), 43));
        assert!(!is_row_unanswered(&row("01", "00000002", 42), 42));
        // 02: keepalive; 04: the other end has no room, and says so.
        assert!(!is_row_unanswered(&row("02", "00000005", 42), 42));
        assert!(!is_row_unanswered(&row("04", "00000005", 42), 42));
        assert!(!is_row_unanswered(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
            42
        ));
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
