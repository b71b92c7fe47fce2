//! Changes how messages to a client are framed, including messages that were sent or queued before its kind was
//! known.

use arauto_protocol::Kind;
use bytes::{BufMut, Bytes, BytesMut};

use super::{Outbox, Piece};

impl Outbox {
    /// Sets the framing of messages from here on.
    ///
    /// A client that was taken for unframed may turn out to be a line client. Then a newline is appended to every
    /// queued message, and one is queued first that ends the message sent last.
    pub fn set_kind(&mut self, kind: Kind) {
        let was = std::mem::replace(&mut self.kind, kind);
        if (was, kind) != (Kind::Unframed, Kind::Line) || self.writer.is_none() {
            return;
        }
        let has_open_line = self.last_write.take().is_some() && !self.mid_piece;
        let queue = std::mem::take(&mut self.queue);
        self.memory.clear();
        let mut memory = 0;
        if has_open_line {
            self.queued += 1;
            memory += self.requeue(Bytes::from_static(b"\n"));
        }
        for piece in queue {
            let mut line = BytesMut::with_capacity(piece.bytes.len() + 1);
            line.put_slice(&piece.bytes);
            line.put_u8(b'\n');
            self.queued += 1;
            memory += self.requeue(line.freeze());
        }
        self.memory.add(memory);
    }

    /// Queues `bytes` and returns the memory that they take.
    fn requeue(&mut self, bytes: Bytes) -> usize {
        let piece = Piece::own(bytes);
        let memory = piece.memory();
        self.queue.push_back(piece);
        memory
    }
}
