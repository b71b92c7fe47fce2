//! Tests broadcasts against a server on the test's clock, and against ffmpeg.

use std::{
    fs::File,
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use arauto_needs::needs;
use arauto_rtsp::{
    Description, Format,
    payload::{Packer, Payload},
};
use rtcp_types::{Compound, Packet};
use rtp_types::RtpPacket;
use tokio::{
    io::AsyncReadExt,
    sync::{mpsc, watch},
    time::{Instant, advance, timeout},
};

use super::{broadcast::HEAD_START, source::tests::made, *};
use crate::rtsp::{Transport, tests as rtsp};

const WITHIN: Duration = Duration::from_secs(30);
/// At 8 kHz, 20 ms are 160 samples.
const FORMAT: Format = Format::L16 { rate: 8_000, channels: 1 };

/// Payloads of silence.
fn silence(seconds: usize) -> Vec<Payload> {
    Packer::new(FORMAT).push(&vec![0; seconds * 16_000])
}

/// An item that the server receives, with its time of arrival.
#[derive(Debug)]
enum Heard {
    Rtp { at: Duration, sequence: u16, timestamp: u32, marker: bool },
    Report { at: Duration, timestamp: u32, packets: u32, is_last: bool },
    Request(String),
}

/// Receives the next item from a publisher that interleaves datagrams with its messages.
async fn hear(server: &mut rtsp::Server, begun: Instant) -> Option<Heard> {
    let stream = &mut server.0;
    let first = timeout(WITHIN * 100, stream.read_u8()).await.unwrap().ok()?;
    if first != b'$' {
        let mut text = String::from(char::from(first));
        while !text.ends_with("\r\n\r\n") {
            text.push(stream.read_u8().await.unwrap().into());
        }
        let number = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap().to_owned();
        server.says(format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\n\r\n")).await;
        return Some(Heard::Request(text.split(' ').next().unwrap().to_owned()));
    }
    let (channel, length) = (stream.read_u8().await.unwrap(), stream.read_u16().await.unwrap());
    let mut packet = vec![0; length.into()];
    stream.read_exact(&mut packet).await.unwrap();
    let at = begun.elapsed();
    if channel == 0 {
        let packet = RtpPacket::parse(&packet).unwrap();
        let (sequence, timestamp) = (packet.sequence_number(), packet.timestamp());
        return Some(Heard::Rtp { at, sequence, timestamp, marker: packet.marker_bit() });
    }
    let packets: Vec<_> = Compound::parse(&packet).unwrap().map(Result::unwrap).collect();
    let Packet::Sr(report) = &packets[0] else { panic!("{packets:?}") };
    let timestamp = report.rtp_timestamp();
    let is_last = matches!(packets.last(), Some(Packet::Bye(_)));
    Some(Heard::Report { at, timestamp, packets: report.packet_count(), is_last })
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_take_ten_minutes() {
    let (session, mut server) = rtsp::publishing().await;
    let reading = Reading::done(FORMAT, silence(600));
    let (progress, shown) = watch::channel(PublishProgress::default());
    let begun = Instant::now();
    let (_controls, taken) = mpsc::channel(1);
    let broadcast = tokio::spawn(Broadcast::new(session, reading, progress).unwrap().run(taken));
    let (mut count, mut reports, mut keepalives, mut begin) = (0, 0, 0, None);
    while let Some(heard) = hear(&mut server, begun).await {
        match heard {
            Heard::Rtp { at, sequence, timestamp, marker } => {
                let (first, base) = *begin.get_or_insert((sequence, timestamp));
                assert_eq!(
                    (sequence, marker),
                    (first.wrapping_add(u16::try_from(count % 65_536).unwrap()), count == 0)
                );
                assert_eq!(timestamp, base.wrapping_add(160 * count));
                // Datagrams are sent 20 ms early, and timers are up to 1 ms late.
                let due = HEAD_START
                    + Duration::from_millis(20 * u64::from(count)).saturating_sub(Duration::from_millis(20));
                assert!(at >= due && at <= due + Duration::from_millis(2), "{count}: {at:?}");
                count += 1;
            }
            Heard::Report { at, timestamp, packets, is_last: false, .. } => {
                assert!(at.abs_diff(Duration::from_secs(5 * reports)) < Duration::from_millis(2), "{at:?}");
                // The first report states the time at which audio begins: 0.5 s, or 4,000 ticks, later.
                if let Some((_, base)) = begin {
                    let ticks = 40_000 * u32::try_from(reports).unwrap() - 4_000;
                    let off = timestamp.wrapping_sub(base).abs_diff(ticks);
                    assert!(off <= 16, "{off}");
                }
                assert!(packets.abs_diff(count) <= 1);
                reports += 1;
            }
            Heard::Report { at, is_last: true, .. } => {
                let end = HEAD_START + Duration::from_mins(10);
                assert!(at.abs_diff(end) < Duration::from_millis(2), "{at:?}");
            }
            Heard::Request(method) if method == "GET_PARAMETER" => keepalives += 1,
            Heard::Request(method) => assert_eq!(method, "TEARDOWN"),
        }
    }
    assert_eq!(count, 30_000);
    // At the very end another of each is due, which may be left out.
    assert!((59..=60).contains(&keepalives));
    assert!((120..=121).contains(&reports));
    assert_eq!(broadcast.await.unwrap().unwrap(), Over::Finished);
    assert_eq!(*shown.borrow(), PublishProgress { elapsed: Duration::from_mins(10), is_paused: false });
}

#[tokio::test(start_paused = true)]
async fn paused_and_gone_on_with_and_stopped() {
    let (session, mut server) = rtsp::publishing().await;
    let (progress, mut shown) = watch::channel(PublishProgress::default());
    let begun = Instant::now();
    let (controls, taken) = mpsc::channel(1);
    let reading = Reading::done(FORMAT, silence(100));
    let broadcast = tokio::spawn(Broadcast::new(session, reading, progress).unwrap().run(taken));
    let (mut heard, mut base) = (Vec::new(), None);
    let mut step = 0;
    while let Some(next) = hear(&mut server, begun).await {
        if let Heard::Rtp { timestamp, .. } = next {
            base.get_or_insert(timestamp);
        }
        let at = begun.elapsed();
        heard.push(next);
        match step {
            0 if at >= Duration::from_secs(1) => {
                controls.send(Control::Pause).await.unwrap();
                shown.wait_for(|progress| progress.is_paused).await.unwrap();
                step = 1;
            }
            // Reports continue during the pause.
            1 if at >= Duration::from_secs(30) => {
                controls.send(Control::Resume).await.unwrap();
                step = 2;
            }
            2 if at >= Duration::from_secs(31) => {
                controls.send(Control::Stop).await.unwrap();
                step = 3;
            }
            _ => {}
        }
    }
    assert_eq!(broadcast.await.unwrap().unwrap(), Over::Stopped);
    let marked: Vec<_> = heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Rtp { at, timestamp, marker: true, .. } => {
                Some((*at, timestamp.wrapping_sub(base.unwrap())))
            }
            _ => None,
        })
        .collect();
    let [_, (at, ticks)] = marked[..] else { panic!("{marked:?}") };
    // Timestamps continue during the pause. They state the time of playback, 20 ms after sending.
    assert!((30.0..30.1).contains(&at.as_secs_f64()), "{at:?}");
    let heard_at = at.as_secs_f64() - HEAD_START.as_secs_f64() + 0.02;
    assert!((f64::from(ticks) / 8_000.0 - heard_at).abs() < 0.025, "{ticks} {at:?}");
    let silent = heard.iter().filter(|heard| {
        matches!(heard, Heard::Rtp { at, .. } if *at > Duration::from_millis(1_050) && *at < Duration::from_secs(30))
    });
    assert_eq!(silent.count(), 0);
    let reports = heard.iter().filter(|heard| matches!(heard, Heard::Report { is_last: false, .. })).count();
    assert_eq!(reports, 7);
    let [.., Heard::Report { is_last: true, .. }, Heard::Request(last)] = &heard[..] else { panic!() };
    assert_eq!(last, "TEARDOWN");
}

/// A server that reads nothing for 3 s and then all there is: nothing is lost, and no burst follows.
#[tokio::test(start_paused = true)]
async fn a_stall_is_no_burst() {
    let (session, mut server) = rtsp::publishing().await;
    let begun = Instant::now();
    let (_controls, taken) = mpsc::channel(1);
    let reading = Reading::done(FORMAT, silence(20));
    let broadcast = tokio::spawn(
        Broadcast::new(session, reading, watch::channel(PublishProgress::default()).0).unwrap().run(taken),
    );
    let (mut count, mut marked, mut last) = (0, 0, None);
    while let Some(heard) = hear(&mut server, begun).await {
        if let Heard::Rtp { sequence, marker, .. } = heard {
            assert_eq!(sequence, last.map_or(sequence, |last: u16| last.wrapping_add(1)));
            last = Some(sequence);
            (count, marked) = (count + 1, marked + u32::from(marker));
            if count == 100 {
                // More is due by then than the queue (64 messages) and the pipe (256 bytes) hold.
                advance(Duration::from_secs(3)).await;
            }
        }
    }
    assert_eq!(count, 1_000);
    assert_eq!(broadcast.await.unwrap().unwrap(), Over::Finished);
    // Late audio is shifted, not sent faster.
    assert_eq!(marked, 2);
    let took = begun.elapsed().as_secs_f64();
    assert!((22.5..23.6).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_or_takes_nothing() {
    for takes in [true, false] {
        let (session, mut server) = rtsp::publishing().await;
        let (_controls, taken) = mpsc::channel(1);
        let reading = Reading::done(FORMAT, silence(100));
        let progress = watch::channel(PublishProgress::default()).0;
        let broadcast = tokio::spawn(Broadcast::new(session, reading, progress).unwrap().run(taken));
        hear(&mut server, Instant::now()).await;
        if takes {
            drop(server);
            assert_eq!(broadcast.await.unwrap().unwrap(), Over::Closed);
        } else {
            let failure = broadcast.await.unwrap().unwrap_err();
            assert_eq!(failure.to_string(), "the server did not answer RECORD within 10 s");
            drop(server);
        }
    }
}

/// Two free consecutive ports of this machine, the first even.
fn ports() -> (u16, u16) {
    loop {
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        if port.is_multiple_of(2) && UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
            return (port, port + 1);
        }
    }
}

/// Publishes a file to ffmpeg, which writes the stream, without decoding, to another file.
async fn heard_by_ffmpeg(dir: &Path, from: &Path, to: &Path, arguments: &str) {
    let from = from.to_owned();
    let reading = Reading::spawn(move || File::open(from)).await.unwrap();
    let description = Description::new(reading.format, "a song", reading.length);
    let ports = ports();
    let sdp = String::from_utf8(description.to_sdp(Ipv4Addr::LOCALHOST.into(), 1)).unwrap();
    let sdp = sdp.replace("0.0.0.0", "127.0.0.1").replace("m=audio 0", &format!("m=audio {}", ports.0));
    std::fs::write(dir.join("a.sdp"), sdp).unwrap();
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(["-protocol_whitelist", "file,udp,rtp", "-i"])
        .arg(dir.join("a.sdp"))
        .args(arguments.split_whitespace())
        .arg(to)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let listens = async {
        while UdpSocket::bind((Ipv4Addr::LOCALHOST, ports.1)).is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(WITHIN, listens).await.unwrap();
    let (session, mut server) = rtsp::publishing_to(ports, &description).await;
    assert_eq!(session.way(), Transport::Udp);
    let (_controls, taken) = mpsc::channel(1);
    let broadcast = Broadcast::new(session, reading, watch::channel(PublishProgress::default()).0).unwrap();
    let ending = server.answers("TEARDOWN", 4, "Session: 12\r\n", "", "200 OK\r\n\r\n");
    let (over, ()) = timeout(WITHIN, async { tokio::join!(broadcast.run(taken), ending) }).await.unwrap();
    assert_eq!(over.unwrap(), Over::Finished);
    let done = tokio::task::spawn_blocking(move || ffmpeg.wait());
    assert!(timeout(WITHIN, done).await.unwrap().unwrap().unwrap().success());
}

#[needs("ffmpeg")]
#[tokio::test]
async fn ffmpeg_hears_what_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for (name, arguments, format, hears) in [
        ("a.mp3", "-q:a 4 -ac 2", "out.mp3", "-c copy -write_xing 0 -id3v2_version 0"),
        ("b.mp3", "-b:a 320k -ar 32000 -ac 2", "out.mp3", "-c copy -write_xing 0 -id3v2_version 0"),
        ("c.opus", "-c:a libopus -ac 2", "out.opus", "-c copy"),
        ("d.flac", "-ac 2", "out.s16be", "-c copy -f s16be"),
        ("e.wav", "-ar 48000 -ac 2", "out.s16be", "-c copy -f s16be"),
        ("f.wav", "-ar 8000", "out.s16be", "-c copy -f s16be"),
    ] {
        let from = made(&dir, name, arguments);
        let to = dir.path().join(format);
        heard_by_ffmpeg(dir.path(), &from, &to, hears).await;
        let units = |path: &Path| {
            let mut source = super::source::Source::open(File::open(path).unwrap()).unwrap();
            std::iter::from_fn(move || source.next_unit().unwrap()).collect::<Vec<_>>()
        };
        let heard = if format == "out.s16be" { vec![std::fs::read(&to).unwrap()] } else { units(&to) };
        let (heard, sent) = (heard.concat(), units(&from).concat());
        assert!(heard == sent, "{name}: {} of {} bytes", heard.len(), sent.len());
    }
}
