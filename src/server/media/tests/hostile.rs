//! What strangers may not.

use super::{client::udp, *};

#[test]
fn only_the_publisher_is_heard() {
    let rig = Rig::new();
    let (publish, listen, _) = rig.open(SONG);
    let (from, stranger) = (udp(), udp());
    let to = Client::publish_by_udp(&mut Client::to(&publish), &from);
    let _ = (listen, stranger, to);
}
