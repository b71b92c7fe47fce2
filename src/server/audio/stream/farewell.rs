//! [`Farewell`]: the RTCP BYEs (RFC 3550, section 6.6) to listeners by UDP after a stream has ended.

use std::{io, net::SocketAddr, rc::Rc, time::Duration};

use tokio::time::sleep;

use super::super::outlet::Outlet;

/// Delays in ms before each RTCP BYE to listeners by UDP, the first after the stream's end, the others after the BYE
/// before. BYE is repeated because a datagram can be lost, and because a program that lags does not know the SSRC of
/// the BYE yet.
const BYES_AFTER: [u64; 4] = [500, 500, 1_000, 2_000];

/// The BYEs to send after a stream has ended.
#[must_use]
pub struct Farewell {
    /// The sockets that the stream was sent from.
    pub outlets: Vec<Rc<Outlet>>,
    /// The index of the outlet, the destination and the datagram of each BYE.
    pub byes: Vec<(usize, SocketAddr, Vec<u8>)>,
}

impl Farewell {
    /// Sends the BYEs now.
    pub fn say(&self) {
        for outlet in &self.outlets {
            outlet.backlog.drain(&outlet.pair.rtp);
        }
        for (outlet, to, bye) in &self.byes {
            // A listener that misses it notices the end by silence, or by the end of its connection.
            let _: io::Result<usize> = self.outlets[*outlet].pair.rtcp.try_send_to(bye, *to);
        }
    }

    /// Sends the BYEs after delays. A program that finds both audio and a BYE waiting reads the BYE first, and discards
    /// the audio.
    pub fn say_later(self) {
        if !self.byes.is_empty() {
            actix_rt::spawn(async move {
                for after in BYES_AFTER {
                    sleep(Duration::from_millis(after)).await;
                    self.say();
                }
            });
        }
    }
}
