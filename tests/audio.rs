//! Tests of users' files that are played to others: the messages, and the sound, also with other programs.

mod peers;
mod sharer;
mod sound;
