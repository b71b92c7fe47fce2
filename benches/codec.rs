//! Measures the protocol alone, without actors: bytes to lines and requests, and messages to bytes.
//!
//! Each bench processes 64 KiB per iteration, so the times in a group divide into ratios. `floor_memcpy` copies the
//! bytes, as the kernel does in a read; `floor_memchr` also finds every newline, which is the least a line decoder can
//! do. The decoders copy too, into a reused buffer, as a session does.

use std::hint::black_box;

use arauto_protocol::{Asker, Frame, FrameDecoder, Kind, Line, Message, Operation, Request, reply};
use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput};
use memchr::memchr_iter;
use tokio_util::codec::Decoder;

mod common;

/// Maximum size of one read of a busy session.
const BUFFER_BYTES: usize = 64 * 1024;

const SENDER: &str = "alan";

fn main() {
    let mut criterion = common::criterion();
    // A short remark, and the longest line allowed.
    for size in [64, 1024] {
        decoding(&mut criterion, size);
        encoding(&mut criterion, size);
    }
    criterion.final_summary();
}

fn decoding(criterion: &mut Criterion, size: usize) {
    let count = BUFFER_BYTES / size;
    let lines = corpus(Kind::Line, size);
    let mut buffer = BytesMut::new();
    let mut group = criterion.benchmark_group(format!("decode/{size}_bytes"));
    group.throughput(Throughput::Bytes(BUFFER_BYTES as u64));

    group.bench_function("floor_memcpy", |bencher| {
        bencher.iter(|| fill(&mut buffer, &lines));
    });
    group.bench_function("floor_memchr", |bencher| {
        bencher.iter(|| {
            fill(&mut buffer, &lines);
            // Each position is used, as a decoder needs it; the iterator's own `count` would not yield positions.
            for at in memchr_iter(b'\n', &buffer) {
                black_box(at);
            }
        });
    });
    for (id, kind) in [("line", Kind::Line), ("telnet", Kind::Telnet)] {
        let sent = corpus(kind, size);
        let mut decoder = decoder(kind);
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                fill(&mut buffer, &sent);
                let taken = decode(&mut decoder, &mut buffer, |line| drop(black_box(line)));
                assert_eq!(taken, count);
            });
        });
    }

    let name = common::name(SENDER);
    let asker = Asker { name: &name, kind: Kind::Line, limit: common::MESSAGE_LIMIT };
    let mut decoder = decoder(Kind::Line);
    group.bench_function("line_to_request", |bencher| {
        bencher.iter(|| {
            fill(&mut buffer, &lines);
            let taken = decode(&mut decoder, &mut buffer, |line| {
                let request = black_box(Request::read(&line, &asker));
                assert!(matches!(request, Request::Broadcast(_)));
            });
            assert_eq!(taken, count);
        });
    });
    group.finish();
}

fn encoding(criterion: &mut Criterion, size: usize) {
    let encoded = line(size);
    let message = Message::parse(encoded.text()).expect("a message");
    let lines = corpus(Kind::Line, size);
    let mut buffer = BytesMut::new();
    let mut group = criterion.benchmark_group(format!("encode/{size}_bytes"));
    group.throughput(Throughput::Bytes(BUFFER_BYTES as u64));

    group.bench_function("floor_memcpy", |bencher| {
        bencher.iter(|| fill(&mut buffer, &lines));
    });
    group.bench_function("line", |bencher| {
        bencher.iter(|| {
            for _ in 0..BUFFER_BYTES / size {
                black_box(Line::lossy(black_box(&message)));
            }
        });
    });
    group.finish();
}

/// A broadcast of `size` bytes, its newline included.
fn line(size: usize) -> Line {
    common::line(SENDER, reply::ALL_CLIENTS, Operation::Broadcast, size)
}

/// A full buffer of one message, repeated and framed for this kind of client, each of `size` bytes with its ending.
fn corpus(kind: Kind, size: usize) -> Bytes {
    let longer_ending = kind.ending().len() - b"\n".len();
    line(size - longer_ending).framed(kind).repeat(BUFFER_BYTES / size).into()
}

/// A decoder in the middle of a session of this kind.
fn decoder(kind: Kind) -> FrameDecoder {
    const NO_OPERATION: &[u8] = b"\xff\xf1";
    let mut decoder = FrameDecoder::new(common::MESSAGE_LIMIT);
    let greeting = if kind == Kind::Telnet { NO_OPERATION } else { b"" };
    let mut first = BytesMut::from(&[greeting, SENDER.as_bytes(), kind.ending()].concat()[..]);
    assert_eq!(decode(&mut decoder, &mut first, drop), 1);
    assert_eq!(decoder.kind(), kind);
    decoder
}

/// Simulates a read.
fn fill(buffer: &mut BytesMut, bytes: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(black_box(bytes));
    black_box(buffer);
}

/// Decodes all lines of one read. Returns their number.
fn decode(decoder: &mut FrameDecoder, buffer: &mut BytesMut, mut take: impl FnMut(BytesMut)) -> usize {
    let mut count = 0;
    while let Some(frame) = decoder.decode(buffer).expect("a decoder that never fails") {
        let Frame::Line(line) = frame else { panic!("{frame:?} among whole lines") };
        take(line);
        count += 1;
    }
    decoder.read_done(buffer);
    count
}
