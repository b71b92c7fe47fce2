//! A user's file heard by others: what is asked and told, and the sound as programs of others send and take it.

mod peers;
mod sharer;
mod sound;
