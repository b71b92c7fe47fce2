//! [`Slot`]: a client throughout a run, which may go through several sessions.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{
    journal::Pace,
    letter::{Id, To},
    life::{Life, Link, Recorded},
    plan::{Role, SlotPlan},
    speech::Speech,
    world::World,
};
use crate::harness::DEADLINE;

/// Receive buffer of clients that read slowly or stop reading, in bytes. Small, so that the server's outbox fills soon.
const SMALL_BUFFER: usize = 16 * 1024;

/// How a life ends.
enum Next {
    /// Stays to the end of the run.
    Stay,
    Exit,
    Finish,
    Die,
    GiveUp,
    /// The server or the network has ended it.
    Mourn,
}

/// A client throughout a run.
pub struct Slot<'a> {
    plan: SlotPlan,
    world: &'a World,
    random: Rng,
    lives: u16,
    recorded: Vec<Recorded>,
}

impl<'a> Slot<'a> {
    pub fn new(plan: SlotPlan, world: &'a World) -> Self {
        Self { plan, world, random: Rng::with_seed(plan.seed), lives: 0, recorded: Vec::new() }
    }

    /// Runs one life after another until the run ends, and returns their records.
    pub fn run(mut self) -> Vec<Recorded> {
        while let Some(mut life) = self.begin() {
            let record = match self.act(&mut life) {
                Next::Stay => {
                    let settled = life.settle();
                    self.world.stage.arrive();
                    self.recorded.push(if settled { life.stay() } else { life.mourn() });
                    return self.recorded;
                }
                Next::Exit => life.exit(),
                Next::Finish => life.finish(),
                Next::Die => life.die(),
                Next::GiveUp => life.give_up(),
                Next::Mourn => life.mourn(),
            };
            self.recorded.push(record);
        }
        self.world.stage.arrive();
        self.recorded
    }

    /// Begins the next life; `None` if the run ends. Retries every 5 to 50 ms, because the previous life may still hold
    /// the name, or the server may be out of file descriptors.
    fn begin(&mut self) -> Option<Life> {
        let give_up = Instant::now() + 3 * DEADLINE;
        loop {
            if self.world.stage.is_ending() {
                return None;
            }
            assert!(Instant::now() < give_up, "{:?} cannot join", self.plan);
            let id = Id { slot: self.plan.slot, life: self.lives };
            self.lives += 1;
            let is_far = self.plan.role == Role::Faraway && !self.world.stage.is_severed();
            if let Ok(link) = self.link(is_far) {
                match Life::begin(id, self.plan.speech, link) {
                    Ok(mut life) => {
                        self.world.stage.enroll(life.reader());
                        if is_far {
                            life.is_far_away();
                        }
                        return Some(life);
                    }
                    Err(record) => self.recorded.push(*record),
                }
            }
            let rest = Duration::from_millis(self.random.u64(5..50));
            self.world.stage.rest(rest);
        }
    }

    fn link(&self, is_far: bool) -> std::io::Result<Link> {
        let buffer = matches!(self.plan.role, Role::Staller | Role::Trickler).then_some(SMALL_BUFFER);
        match self.plan.role {
            Role::Doomed => Ok(Link::program(self.world.netcat(self.plan.slot)?)),
            _ if self.plan.slot == 0 => Link::socket(self.world.dial_by_detour()?),
            Role::Faraway if is_far => match self.world.dial_from_afar() {
                Some(stream) => Link::socket(stream?),
                None => Link::socket(self.world.dial(self.plan.slot, None)?),
            },
            _ if self.plan.speech == Speech::WebSocket => {
                Link::socket(self.world.dial_web(self.plan.slot, buffer)?)
            }
            _ => Link::socket(self.world.dial(self.plan.slot, buffer)?),
        }
    }

    /// Acts until the life is to end, and returns how.
    fn act(&mut self, life: &mut Life) -> Next {
        let bursts = self.random.u32(1..30);
        if self.plan.role == Role::Trickler {
            // At least 100 KB/s: the client's kernel announces room, and so shows that it reads, only in large steps.
            life.read_at(Pace::Trickling(self.random.usize(500..2500), self.random.u64(1..5)));
        }
        for burst in 0.. {
            if life.is_over() {
                return Next::Mourn;
            }
            if burst >= bursts
                && let Some(next) = self.last_act(life)
            {
                return next;
            }
            let rest = self.burst(life);
            if self.world.stage.rest(rest) {
                return Next::Stay;
            }
        }
        unreachable!("a life ends sooner")
    }

    /// Acts after the planned number of bursts, and returns how the life ends; `None` if it goes on.
    fn last_act(&mut self, life: &mut Life) -> Option<Next> {
        match self.plan.role {
            Role::Visitor => Some(if self.random.bool() { Next::Exit } else { Next::Finish }),
            Role::Doomed => Some(Next::Die),
            Role::Breaker => {
                let letters = self.letters(1..20);
                life.send_torn(letters, self.random.usize(..60));
                Some(Next::Die)
            }
            Role::Staller => {
                life.read_at(Pace::Stalled);
                let letters = self.letters(0..30);
                life.send(letters);
                self.world.stage.rest(Duration::from_millis(self.random.u64(50..2500)));
                life.read_at(Pace::Eager);
                None
            }
            // Some wait until the cable is mended. Others connect again from the near machine and ask for their name.
            Role::Faraway if self.world.stage.is_severed() => {
                (self.random.u8(..8) == 0).then_some(Next::GiveUp)
            }
            Role::Faraway | Role::Observer | Role::Talker | Role::Trickler => None,
        }
    }

    /// Sends some letters, and returns how long to rest afterwards.
    fn burst(&mut self, life: &mut Life) -> Duration {
        let (count, rest) = match self.plan.role {
            Role::Observer => (0..3, 20..200),
            Role::Talker if self.random.u8(..40) == 0 => (200..400, 50..200),
            Role::Talker => (1..30, 5..80),
            _ => (0..8, 10..100),
        };
        let letters = self.letters(count);
        // Ignores a failure: the reader notices the end of the connection.
        life.send(letters);
        Duration::from_millis(self.random.u64(rest))
    }

    fn letters(&mut self, count: Range<usize>) -> Vec<(To, u16)> {
        (0..self.random.usize(count)).map(|_| self.letter()).collect()
    }

    fn letter(&mut self) -> (To, u16) {
        let to = match self.random.u8(..20) {
            0..10 => To::All,
            10..14 => To::Others,
            14..18 => To::One(self.random.u16(..self.world.slots)),
            _ => To::Myself,
        };
        let size = match self.random.u8(..10) {
            0..6 => self.random.u16(..120),
            6..9 => self.random.u16(..600),
            _ => self.random.u16(900..=1024),
        };
        (to, size)
    }
}
