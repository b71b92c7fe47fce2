//! Tests of the player: decoding compared with other decoders, bad networks, files and a sound server.

mod decode;
mod ends;
mod link_local;
mod lossy;
mod play;
mod pulse;
mod sound;
