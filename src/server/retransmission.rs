//! What the kernel knows of a connection whose other end does not answer, read from `/proc/net/tcp` (proc(5), Linux).
//!
//! An idle connection is asked by keepalive; one with data on the way repeats the data instead. This tells a dead other
//! end, which lets every question and every repetition go unanswered, from a living one that merely does not read and
//! acknowledges each. All counts are set back by any acknowledgement.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    os::{fd::RawFd, unix::fs::MetadataExt},
};

/// Questions by keepalive, a second apart, after which nobody is taken to be there. One may be lost on the way.
const ASKED: u32 = 2;

/// Repetitions of the oldest data without any answer, after which nobody is taken to be there. The kernel repeats after
/// 0.2, 0.4, 0.8 s and so on, longer on slow lines: 3 take at least 1.4 s. Where the data came after a question that
/// went unanswered, that one counts too.
const REPEATED: u32 = 3;

/// Questions whether there is room again. The other end's kernel answers at most two a second of them, so a living one
/// may leave one or two unanswered; they come ever more rarely, so this finds only who has been gone for a while.
const ASKED_FOR_ROOM: u32 = 3;

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

/// One row: `sl local remote state tx:rx timer:when repeated uid asked inode …`. `repeated` is hexadecimal, and the
/// header has `timeout` for `asked`, which counts questions since the last answer.
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
        // Data is repeated.
        "01" => asked >= ASKED || asked + repeated >= REPEATED,
        // Keepalive.
        "02" => asked >= ASKED,
        // The other end has no room, or had none when it was last heard of.
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
