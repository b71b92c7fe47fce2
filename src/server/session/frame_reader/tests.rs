use std::{cell::Cell, future::poll_fn, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::{Instant, advance},
};

use super::*;
use crate::server::delivery::outbox::at_once;

const SECOND: Duration = Duration::from_secs(1);
const LINE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_mins(1);

impl ReceiveHalf for DuplexStream {}

/// A frame reader and the client's end, after the first line `alan`.
async fn frame_reader(idle: Duration) -> (FrameReader<DuplexStream>, DuplexStream) {
    let (mut theirs, ours) = duplex(4096);
    let timeouts = Rc::new(ReadTimeouts { silence: Duration::from_millis(50), line: LINE, idle });
    let mut frame_reader =
        FrameReader::new(ours, ReadBuffer::default(), FrameDecoder::new(64), BytesMut::new(), 1024, timeouts);
    theirs.write_all(b"alan\n").await.unwrap();
    assert_eq!(next(&mut frame_reader).await, "alan");
    (frame_reader, theirs)
}

/// The next frame as text; reads without frames are skipped.
async fn next(frame_reader: &mut FrameReader<DuplexStream>) -> String {
    loop {
        match poll_fn(|cx| Pin::new(&mut *frame_reader).poll_next(cx)).await.expect("no end") {
            ReadEvent::Read(read) => match read.frames.first() {
                None => {}
                Some(Frame::Line(line)) => return String::from_utf8_lossy(line).into_owned(),
                Some(frame) => return format!("{frame:?}"),
            },
            ReadEvent::Idle => return "Idle".to_owned(),
            ReadEvent::End(end) => return format!("{end:?}"),
        }
    }
}

/// Sends one byte per second, `times` times.
async fn trickle(to: &mut DuplexStream, byte: u8, times: usize) {
    for _ in 0..times {
        to.write_all(&[byte]).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_is_timed_from_its_first_byte_and_given_up_once() {
    let (mut frame_reader, mut client) = frame_reader(Duration::ZERO).await;
    let began = Instant::now();
    let slow = async {
        trickle(&mut client, b'x', 30).await;
        client.write_all(b"\n/list\n").await.unwrap();
        client
    };
    let seen = async {
        let overdue = (next(&mut frame_reader).await, began.elapsed());
        (overdue, next(&mut frame_reader).await)
    };
    let (_client, ((overdue, after), list)) = tokio::join!(slow, seen);
    assert_eq!((overdue.as_str(), after), ("Overdue", LINE));
    assert_eq!((list.as_str(), began.elapsed()), ("/list", 30 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn each_line_has_its_own_time() {
    let (mut frame_reader, mut client) = frame_reader(Duration::ZERO).await;
    let began = Instant::now();
    let slow = async {
        for part in ["one", "\ntwo", "\nthree", "\n"] {
            client.write_all(part.as_bytes()).await.unwrap();
            tokio::time::sleep(9 * SECOND).await;
        }
    };
    let seen = async {
        [next(&mut frame_reader).await, next(&mut frame_reader).await, next(&mut frame_reader).await]
    };
    let ((), lines) = tokio::join!(slow, seen);
    assert_eq!(lines, ["one", "two", "three"]);
    assert_eq!(began.elapsed(), 36 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_unframed_message_is_given_up_as_well() {
    let (mut theirs, ours) = duplex(4096);
    let timeouts = Rc::new(ReadTimeouts { silence: 2 * SECOND, line: LINE, idle: Duration::ZERO });
    let mut frame_reader =
        FrameReader::new(ours, ReadBuffer::default(), FrameDecoder::new(64), BytesMut::new(), 1024, timeouts);
    theirs.write_all(b"alan | server | name | alan").await.unwrap();
    assert_eq!(next(&mut frame_reader).await, "alan | server | name | alan");
    let began = Instant::now();
    let slow = trickle(&mut theirs, b'x', 15);
    let ((), (overdue, after)) =
        tokio::join!(slow, async { (next(&mut frame_reader).await, began.elapsed()) });
    assert_eq!((overdue.as_str(), after), ("Overdue", LINE));
    tokio::time::sleep(2 * SECOND).await;
    theirs.write_all(b"/list").await.unwrap();
    // Bytes that trickle in after the timeout are dropped too, until silence ends the message.
    let dropped = async {
        tokio::time::sleep(3 * SECOND).await;
        theirs.write_all(b"/help").await.unwrap();
    };
    let ((), seen) = tokio::join!(dropped, next(&mut frame_reader));
    assert_eq!(seen, "/help");
}

#[tokio::test(start_paused = true)]
async fn the_first_line_may_take_any_time() {
    let (mut theirs, ours) = duplex(4096);
    let timeouts = Rc::new(ReadTimeouts { silence: SECOND, line: LINE, idle: IDLE });
    let mut frame_reader =
        FrameReader::new(ours, ReadBuffer::default(), FrameDecoder::new(64), BytesMut::new(), 1024, timeouts);
    let began = Instant::now();
    let slow = async {
        trickle(&mut theirs, b'x', 30).await;
        tokio::time::sleep(IDLE).await;
        theirs.write_all(b"\n").await.unwrap();
    };
    let ((), seen) = tokio::join!(slow, next(&mut frame_reader));
    assert_eq!((seen, began.elapsed()), ("x".repeat(30), IDLE + 30 * SECOND));
}

/// Masked WebSocket frames without payload: a pong, and an empty text message.
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];
const NOTHING: &[u8] = &[0x81, 0x80, 0, 0, 0, 0];

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_ping_is_no_activity_and_a_message_of_nothing_is() {
    let (mut theirs, ours) = duplex(4096);
    let timeouts = Rc::new(ReadTimeouts { silence: SECOND, line: LINE, idle: IDLE });
    let decoder = FrameDecoder::for_websocket(64);
    let mut frame_reader =
        FrameReader::new(ours, ReadBuffer::default(), decoder, BytesMut::new(), 1024, timeouts);
    theirs.write_all(b"\x81\x84\0\0\0\0alan").await.unwrap();
    assert_eq!(next(&mut frame_reader).await, "alan");
    let began = Instant::now();
    let pings = async {
        for frame in [NOTHING, PONG, PONG, PONG] {
            tokio::time::sleep(40 * SECOND).await;
            theirs.write_all(frame).await.unwrap();
        }
    };
    let seen = async { (next(&mut frame_reader).await, began.elapsed()) };
    let ((), (idle, after)) = tokio::join!(pings, seen);
    assert_eq!((idle.as_str(), after), ("Idle", 40 * SECOND + IDLE));
}

#[tokio::test(start_paused = true)]
async fn idleness_counts_from_the_last_byte() {
    let (mut frame_reader, mut client) = frame_reader(IDLE).await;
    let began = Instant::now();
    let slow = async {
        for _ in 0..5 {
            tokio::time::sleep(59 * SECOND).await;
            client.write_all(b"\n").await.unwrap();
        }
    };
    let seen = async { (next(&mut frame_reader).await, began.elapsed()) };
    let ((), (idle, after)) = tokio::join!(slow, seen);
    assert_eq!((idle.as_str(), after), ("Idle", 5 * 59 * SECOND + IDLE));
}

#[tokio::test(start_paused = true)]
async fn noise_without_end_leaves_others_their_turn() {
    for noise in [&b"x"[..], b"\n", b"\r\n", b"\xff\xf1"] {
        let (mut theirs, ours) = duplex(1024 * 1024);
        let timeouts = Rc::new(ReadTimeouts { silence: SECOND, line: LINE, idle: IDLE });
        let mut frame_reader = FrameReader::new(
            ours,
            ReadBuffer::default(),
            FrameDecoder::new(64),
            BytesMut::new(),
            1024,
            timeouts,
        );
        theirs.write_all(b"alan\n").await.unwrap();
        assert_eq!(next(&mut frame_reader).await, "alan");
        theirs.write_all(&noise.repeat(1024 * 1024 / noise.len())).await.unwrap();
        let mut wasted = 0;
        let mut turns = 0;
        while wasted < 1024 * 1024 {
            turns += 1;
            while let Poll::Ready(read_event) = at_once(|cx| Pin::new(&mut frame_reader).poll_next(cx)) {
                let Some(ReadEvent::Read(read)) = read_event else { panic!("{read_event:?}") };
                assert!(read.frames.is_empty());
                wasted += read.junk_bytes;
            }
        }
        assert!(turns >= 1024 * 1024 / READ_BYTES, "{turns} turns");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_nothing_has_no_timer() {
    let (mut frame_reader, mut client) = frame_reader(Duration::ZERO).await;
    let mut look = || {
        let polled = at_once(|cx| Pin::new(&mut frame_reader).poll_next(cx));
        let frames = match polled {
            Poll::Ready(Some(ReadEvent::Read(read))) => read.frames.len(),
            _ => 0,
        };
        let _ = at_once(|cx| Pin::new(&mut frame_reader).poll_next(cx));
        (frames, frame_reader.deadlines.has_timer())
    };
    assert_eq!(look(), (0, false));
    client.write_all(b"ha").await.unwrap();
    assert_eq!(look(), (0, true));
    client.write_all(b"lf\n").await.unwrap();
    // The timer stays for the next line that comes in parts, until it expires.
    assert_eq!(look(), (1, true));
    advance(LINE).await;
    assert_eq!(look(), (0, false));
}

/// A receiving half that is always readable, and breaks when its flag is set.
struct Breaking(Rc<Cell<bool>>);

impl AsyncRead for Breaking {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(b"x\n");
        Poll::Ready(Ok(()))
    }
}

impl ReceiveHalf for Breaking {
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take().then(|| io::ErrorKind::ConnectionReset.into()))
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_credit_notices_that_the_connection_broke() {
    let broken = Rc::new(Cell::new(false));
    let timeouts = Rc::new(ReadTimeouts { silence: SECOND, line: LINE, idle: Duration::ZERO });
    let mut frame_reader = FrameReader::new(
        Breaking(Rc::clone(&broken)),
        ReadBuffer::default(),
        FrameDecoder::new(64),
        BytesMut::new(),
        128,
        timeouts,
    );
    let mut poll = || at_once(|cx| Pin::new(&mut frame_reader).poll_next(cx));
    let mut taken = Vec::new();
    while let Poll::Ready(Some(ReadEvent::Read(read))) = poll() {
        taken.push(read);
    }
    advance(CHECK_INTERVAL).await;
    assert!(poll().is_pending());
    broken.set(true);
    advance(CHECK_INTERVAL).await;
    let end = poll();
    assert!(matches!(&end, Poll::Ready(Some(ReadEvent::End(Err(_))))), "{end:?}");
    assert!(matches!(poll(), Poll::Ready(None)));
}

#[tokio::test(start_paused = true)]
async fn the_pulse_shows_that_something_came_and_that_nothing_is_read() {
    let (mut frame_reader, mut client) = frame_reader(Duration::ZERO).await;
    let pulse = Pulse::default();
    frame_reader.set_pulse(Rc::clone(&pulse));
    assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut frame_reader).poll_next(cx))).await.is_pending());
    assert!(!pulse.take());
    client.write_all("/list\n".repeat(12).as_bytes()).await.unwrap();
    let read = poll_fn(|cx| Pin::new(&mut frame_reader).poll_next(cx)).await;
    assert!(pulse.take());
    // All credit is taken until the requests of that read are carried out.
    assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut frame_reader).poll_next(cx))).await.is_pending());
    assert!(pulse.take());
    drop(read);
}
