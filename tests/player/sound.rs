//! Sound files made by ffmpeg, and functions that take them apart.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use arauto_rtsp::payload::mpeg::FrameHeader;
use tempfile::TempDir;

pub fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Encodes this many seconds of a frequency sweep and some noise, with these arguments for ffmpeg. A second channel has
/// a tone of 1 kHz.
pub fn encode(folder: &TempDir, name: &str, seconds: u8, channels: u8, arguments: &[&str]) -> PathBuf {
    let path = folder.path().join(name);
    let sound = match channels {
        1 => "aevalsrc=0.4*sin(2*PI*(200+400*t)*t)+0.05*random(0)",
        _ => "aevalsrc=0.4*sin(2*PI*(200+400*t)*t)+0.05*random(0)|0.3*sin(2*PI*1000*t)",
    };
    let sound = format!("{sound}:d={seconds}:s=48000");
    let mut all = vec!["-f", "lavfi", "-i", &sound];
    all.extend(arguments);
    all.push(path.to_str().unwrap());
    ffmpeg(&all);
    path
}

/// Returns the samples that ffmpeg decodes, interleaved.
pub fn heard_by_ffmpeg(path: &Path, decoder: &[&str]) -> Vec<f32> {
    let mut all = decoder.to_vec();
    all.extend(["-i", path.to_str().unwrap(), "-f", "f32le", "-"]);
    ffmpeg(&all).chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// Returns the packets of an Ogg stream without its two header packets, and the number of sample frames to skip at the
/// beginning.
pub fn packets(ogg: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let (mut at, mut packets, mut packet) = (0, Vec::new(), Vec::new());
    while at + 27 <= ogg.len() {
        let segments = usize::from(ogg[at + 26]);
        let lengths = &ogg[at + 27..at + 27 + segments];
        at += 27 + segments;
        for &length in lengths {
            packet.extend_from_slice(&ogg[at..at + usize::from(length)]);
            at += usize::from(length);
            if length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
    }
    let skipped = u16::from_le_bytes([packets[0][10], packets[0][11]]);
    (packets.split_off(2), skipped.into())
}

pub fn frames(mp3: &[u8]) -> Vec<Vec<u8>> {
    let (mut at, mut frames) = (0, Vec::new());
    while let Some(header) = mp3.get(at..).and_then(FrameHeader::parse) {
        let Some(frame) = mp3.get(at..at + header.bytes) else { break };
        frames.push(frame.to_vec());
        at += header.bytes;
    }
    frames
}
