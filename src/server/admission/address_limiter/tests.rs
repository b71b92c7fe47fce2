use std::net::IpAddr;

use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn flood() -> Flood {
    Flood { sessions_per_address: 3, joins_per_minute: 6, ..Flood::default() }
}

fn limiter() -> AddressLimiter {
    AddressLimiter::new(Instant::now())
}

fn peer(address: &str) -> Peer {
    Peer::at(address.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_address_has_so_many_sessions_and_room_again_when_one_ends() {
    let mut limiter = limiter();
    let mut permits: Vec<_> =
        (0..3).map(|_| limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).unwrap()).collect();
    let refused = limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).unwrap_err();
    assert_eq!(refused, Rejected::TooMany { most: 3 });
    assert!(limiter.admit(peer("192.0.2.2"), &flood(), Instant::now()).is_ok());
    permits.pop();
    assert!(limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_address_connects_so_often_a_minute() {
    let mut limiter = limiter();
    for _ in 0..6 {
        assert!(limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).is_ok());
    }
    let refused = limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).unwrap_err();
    assert_eq!(refused, Rejected::TooOften { most: 6, wait: 10 * SECOND });
    assert!(limiter.admit(peer("192.0.2.2"), &flood(), Instant::now()).is_ok());
    advance(10 * SECOND).await;
    assert!(limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).is_ok());
    assert!(limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn what_counts_as_one_address() {
    for (one, other, is_same) in [
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
    ] {
        let mut limiter = limiter();
        let flood = Flood { sessions_per_address: 1, ..flood() };
        let _permit = limiter.admit(peer(one), &flood, Instant::now()).unwrap();
        let second = limiter.admit(peer(other), &flood, Instant::now());
        assert_eq!(second.is_err(), is_same, "{one} {other}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_on_this_machine_is_not_counted_unless_that_is_wanted() {
    let mut limiter = limiter();
    let mut local = peer("127.0.0.1");
    local.is_local = true;
    for _ in 0..100 {
        assert!(limiter.admit(local, &flood(), Instant::now()).unwrap().is_none());
    }
    let wanted = Flood { loopback: true, ..flood() };
    for _ in 0..6 {
        assert!(limiter.admit(local, &wanted, Instant::now()).unwrap().is_some());
    }
    assert!(limiter.admit(local, &wanted, Instant::now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn zero_is_no_limit() {
    let mut limiter = limiter();
    let none = Flood { sessions_per_address: 0, joins_per_minute: 0, ..flood() };
    let sessions = Flood { joins_per_minute: 0, ..flood() };
    let joins = Flood { sessions_per_address: 0, ..flood() };
    let now = Instant::now();
    assert!((0..100).all(|_| limiter.admit(peer("192.0.2.1"), &none, now).unwrap().is_none()));
    assert!((0..100).all(|_| limiter.admit(peer("192.0.2.2"), &sessions, now).is_ok()));
    let permits: Vec<_> = (0..6).map(|_| limiter.admit(peer("192.0.2.3"), &joins, now).unwrap()).collect();
    assert!(permits.iter().all(Option::is_some));
    assert!(limiter.admit(peer("192.0.2.3"), &joins, now).is_err());
}

fn nth(number: usize) -> Peer {
    let [.., a, b, c] = number.to_be_bytes();
    Peer::at(IpAddr::from([10, a, b, c]))
}

#[tokio::test(start_paused = true)]
async fn addresses_are_forgotten_once_nothing_has_to_be_known_of_them() {
    let mut limiter = limiter();
    let mut held = Vec::new();
    for number in 0..100_000 {
        let permit = limiter.admit(nth(number), &flood(), Instant::now()).unwrap();
        if number % 100 == 0 {
            held.push(permit);
        }
        if number % 1000 == 0 {
            advance(10 * SECOND).await;
        }
        // 1000 addresses connected in the last 10 s, and the table may double before the next sweep.
        assert!(
            limiter.addresses.len() <= 2 * (2 * 1000 + held.len()),
            "{number}: {}",
            limiter.addresses.len()
        );
    }
    held.clear();
    advance(60 * SECOND).await;
    limiter.sweep_at = 0;
    assert!(limiter.admit(nth(0), &flood(), Instant::now()).is_ok());
    assert_eq!(limiter.addresses.len(), 1);
    assert!(limiter.addresses.capacity() <= 2 * MIN_SWEPT, "{}", limiter.addresses.capacity());
}

#[tokio::test(start_paused = true)]
async fn who_connected_too_often_is_remembered_though_nobody_is_left() {
    let mut limiter = limiter();
    for _ in 0..6 {
        assert!(limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).is_ok());
    }
    for number in 0..4 * MIN_SWEPT {
        assert!(limiter.admit(nth(number), &flood(), Instant::now()).is_ok());
    }
    assert!(limiter.admit(peer("192.0.2.1"), &flood(), Instant::now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn who_has_very_many_addresses_neither_fills_the_table_nor_keeps_others_out() {
    let mut limiter = limiter();
    let once = Flood { joins_per_minute: 1, ..flood() };
    let resident = limiter.admit(peer("192.0.2.1"), &once, Instant::now()).unwrap();
    // No time passes, so no entry expires.
    for number in 0..2 * MAX_IDLE_ADDRESSES {
        assert!(limiter.admit(nth(number), &once, Instant::now()).is_ok());
        assert!(limiter.addresses.len() <= MAX_IDLE_ADDRESSES);
    }
    // Addresses with sessions are never forgotten.
    assert!(limiter.admit(peer("192.0.2.1"), &once, Instant::now()).is_err());
    assert!(limiter.admit(peer("192.0.2.9"), &once, Instant::now()).is_ok());
    drop(resident);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refusals_is_a_line_a_second() {
    let mut limiter = limiter();
    let mut logged = Vec::new();
    for _ in 0..100 {
        for _ in 0..100 {
            logged.extend(limiter.log_refusal(Instant::now()));
        }
        advance(SECOND).await;
    }
    assert_eq!(logged.len(), LOG_BURST + 99);
    assert_eq!(logged.iter().sum::<u64>() + logged.len() as u64 + limiter.unlogged, 100 * 100);
}
