//! What the player makes of streams: decoded as others decode them, over bad networks, into files and a sound server.

mod decode;
mod ends;
mod link_local;
mod lossy;
mod play;
mod pulse;
mod sound;
