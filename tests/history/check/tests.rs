//! Tests of the checker: it reports nothing about a correct server, and finds each kind of violation.

use super::{Conduct, End, Heard, History, PASSED_OVER, Rule, Rules, SLOW_READER, Sent, Stamp, What, check};
use crate::history::letter::{Id, Letter, To};

const SLOTS: u16 = 6;

/// A correct server and its clients, simulated in one thread.
struct Model {
    random: fastrand::Rng,
    now: Stamp,
    histories: Vec<History>,
    /// By history: number of its messages that the server has carried out.
    carried_out: Vec<usize>,
    /// By history: the lines that the client has not read yet.
    outboxes: Vec<Vec<What>>,
    /// The connected clients, as indices of histories.
    live: Vec<usize>,
}

impl Model {
    /// Simulates `steps` random steps and returns the histories.
    fn run(seed: u64, steps: usize) -> Vec<History> {
        let random = fastrand::Rng::with_seed(seed);
        let mut model = Self {
            random,
            now: 0,
            histories: Vec::new(),
            carried_out: Vec::new(),
            outboxes: Vec::new(),
            live: Vec::new(),
        };
        for slot in 0..SLOTS {
            model.join(slot);
        }
        for _ in 0..steps {
            model.step();
        }
        for life in model.live.clone() {
            while model.carry_out(life) {}
        }
        for life in model.live.clone() {
            model.outboxes[life].push(What::Closed);
            model.end(life, End::Stayed, "server closed");
        }
        model.histories
    }

    fn tick(&mut self) -> Stamp {
        self.now += 1;
        self.now
    }

    fn step(&mut self) {
        let life = self.live[self.random.usize(..self.live.len())];
        match self.random.u32(..1000) {
            0..400 => self.send(life),
            400..700 => drop(self.carry_out(life)),
            700..990 => self.read(life),
            // The first two clients stay.
            _ if life < 2 => {}
            kind => self.leave(life, kind % 4),
        }
        let slot = self.random.u16(..SLOTS);
        if self.random.u8(..50) == 0 && self.live.iter().all(|life| self.histories[*life].id.slot != slot) {
            self.join(slot);
        }
    }

    fn join(&mut self, slot: u16) {
        let life = self.histories.iter().filter(|history| history.id.slot == slot).count();
        let id = Id { slot, life: u16::try_from(life).unwrap() };
        let joined = Some(self.tick());
        let (sent, heard) = (Vec::new(), Vec::new());
        let (conduct, end, reason) = (Conduct::Eager, End::Gone, None);
        self.live.push(self.histories.len());
        self.histories.push(History { id, conduct, joined, sent, heard, end, reason });
        self.carried_out.push(0);
        self.outboxes.push(Vec::new());
    }

    fn send(&mut self, life: usize) {
        let at = self.tick();
        let to = match self.random.u8(..10) {
            0..5 => To::All,
            5..7 => To::Others,
            7..9 => To::One(self.random.u16(..SLOTS)),
            _ => To::Myself,
        };
        self.histories[life].sent.push(Sent { at, to, size: self.random.u16(..900) });
    }

    /// Carries out the next message of this client; `false` if there is none.
    fn carry_out(&mut self, life: usize) -> bool {
        let number = self.carried_out[life];
        let from = self.histories[life].id;
        let Some(&Sent { to, size, .. }) = self.histories[life].sent.get(number) else { return false };
        self.carried_out[life] += 1;
        let letter = Letter { from, number: u32::try_from(number).unwrap(), to, size };
        let receivers: Vec<usize> = self
            .live
            .iter()
            .copied()
            .filter(|life| super::is_for(to, from, self.histories[*life].id))
            .collect();
        if let (To::One(slot), true) = (to, receivers.is_empty()) {
            self.outboxes[life].push(What::NotFound(slot));
        }
        for receiver in receivers {
            self.outboxes[receiver].push(What::Letter(letter));
        }
        true
    }

    /// Has the client read the next line, if there is one.
    fn read(&mut self, life: usize) {
        if !self.outboxes[life].is_empty() {
            let what = self.outboxes[life].remove(0);
            let at = self.tick();
            self.histories[life].heard.push(Heard { at, what });
        }
    }

    fn leave(&mut self, life: usize, kind: u32) {
        let at = self.tick();
        if kind < 2 {
            while self.carry_out(life) {}
        }
        match kind {
            0 => {
                self.outboxes[life].push(What::Goodbye);
                self.end(life, End::Exited(at), "exit");
            }
            1 => self.end(life, End::Finished(at), "closed by client"),
            _ => {
                let taken = self.random.usize(..=self.outboxes[life].len());
                self.outboxes[life].truncate(taken);
                if kind == 2 {
                    self.histories[life].conduct = Conduct::Remiss;
                    self.outboxes[life].push(What::Cut("You were disconnected".to_owned()));
                    self.end(life, End::Cut, "outbox full");
                } else {
                    self.end(life, End::Gone, "connection broken");
                }
            }
        }
    }

    fn end(&mut self, life: usize, end: End, reason: &str) {
        while !self.outboxes[life].is_empty() {
            self.read(life);
        }
        self.live.retain(|other| *other != life);
        self.histories[life].end = end;
        self.histories[life].reason = Some(reason.to_owned());
    }
}

#[test]
fn a_server_that_does_right_is_not_accused() {
    for seed in 0..100 {
        let violations =
            check(&Model::run(seed, 1500), Rules { slow_readers_stay: true, ..Rules::default() });
        assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    }
}

/// Applies `spoil` to the histories of 40 runs, and checks that the checker reports `rule` in each run where `spoil`
/// could be applied (it returned `true`), which have to be at least 10.
#[track_caller]
fn is_found(rule: Rule, mut spoil: impl FnMut(&mut Vec<History>, &mut fastrand::Rng) -> bool) {
    let mut done = 0;
    for seed in 0..40 {
        let mut histories = Model::run(seed, 800);
        if spoil(&mut histories, &mut fastrand::Rng::with_seed(seed)) {
            done += 1;
            let violations = check(&histories, Rules::default());
            assert!(violations.iter().any(|violation| violation.rule == rule), "{seed}: {violations:#?}");
        }
    }
    assert!(done >= 10, "{done}");
}

/// The index of a random line of this history that is a letter for which `fits` is true.
fn pick(
    history: &History,
    random: &mut fastrand::Rng,
    fits: impl Fn(usize, &Letter) -> bool,
) -> Option<usize> {
    let places = history.heard.iter().enumerate().filter_map(|(place, heard)| match &heard.what {
        What::Letter(letter) if fits(place, letter) => Some(place),
        _ => None,
    });
    random.choice(places.collect::<Vec<_>>())
}

/// The index of a random history for which `ended` is true.
fn one_that(
    histories: &[History],
    random: &mut fastrand::Rng,
    ended: impl Fn(&History) -> bool,
) -> Option<usize> {
    random.choice((0..histories.len()).filter(|life| ended(&histories[*life])).collect::<Vec<_>>())
}

fn sent_at(histories: &[History], letter: &Letter) -> Stamp {
    histories.iter().find(|history| history.id == letter.from).unwrap().sent[letter.number as usize].at
}

#[test]
fn a_message_that_one_did_not_hear() {
    is_found(Rule::Lost, |histories, random| {
        let life = one_that(histories, random, |history| history.end == End::Stayed).unwrap();
        let joined = histories[life].joined.unwrap();
        let place = pick(&histories[life], random, |_, letter| sent_at(histories, letter) > joined).unwrap();
        histories[life].heard.remove(place);
        true
    });
}

#[test]
fn a_message_that_nobody_heard() {
    is_found(Rule::Lost, |histories, random| {
        let place = pick(&histories[0], random, |_, letter| letter.to == To::All).unwrap();
        let What::Letter(letter) = histories[0].heard[place].what else { unreachable!() };
        let sender = histories.iter().find(|history| history.id == letter.from).unwrap();
        // The last message of a client that died is not known to be accepted, so its loss is no violation.
        let known = |history: &History| {
            super::letters(history)
                .any(|(heard, _)| heard.from == letter.from && heard.number > letter.number)
        };
        if !sender.end.is_orderly() && !histories.iter().any(known) {
            return false;
        }
        for history in histories {
            history.heard.retain(|heard| heard.what != What::Letter(letter));
        }
        true
    });
}

#[test]
fn a_gap_in_what_one_heard_who_died() {
    is_found(Rule::Gap, |histories, random| {
        let Some(life) = one_that(histories, random, |history| matches!(history.end, End::Gone | End::Cut))
        else {
            return false;
        };
        let joined = histories[life].joined.unwrap();
        let last = super::letters(&histories[life]).rfind(|(letter, _)| letter.to.is_broadcast());
        let Some((last, at)) = last.map(|(letter, at)| (*letter, at)) else { return false };
        let place = pick(&histories[life], random, |place, letter| {
            letter.to.is_broadcast()
                && *letter != last
                && histories[life].heard[place].at < at
                && sent_at(histories, letter) > joined
        });
        place.map(|place| histories[life].heard.remove(place)).is_some()
    });
}

#[test]
fn a_message_twice() {
    is_found(Rule::Doubled, |histories, random| {
        let life = one_that(histories, random, |history| super::letters(history).count() > 0).unwrap();
        let place = pick(&histories[life], random, |_, _| true).unwrap();
        let again = histories[life].heard[place].clone();
        let later = random.usize(place..histories[life].heard.len());
        histories[life].heard.insert(later, again);
        true
    });
}

#[test]
fn two_broadcasts_in_another_order() {
    is_found(Rule::OneOrder, |histories, random| {
        let shared: Vec<Letter> = super::letters(&histories[1]).map(|(letter, _)| *letter).collect();
        let both = |what: &What| matches!(what, What::Letter(letter) if letter.to.is_broadcast() && shared.contains(letter));
        let heard = &histories[0].heard;
        let places =
            (1..heard.len()).filter(|place| both(&heard[place - 1].what) && both(&heard[*place].what));
        let place = random.choice(places.collect::<Vec<_>>()).unwrap();
        let what = heard[place].what.clone();
        histories[0].heard[place].what = heard[place - 1].what.clone();
        histories[0].heard[place - 1].what = what;
        true
    });
}

#[test]
fn three_who_agree_by_two_and_not_by_three() {
    let sender = |slot| History {
        id: Id { slot, life: 0 },
        conduct: Conduct::Eager,
        joined: Some(u64::from(slot)),
        sent: vec![Sent { at: 10 + u64::from(slot), to: To::All, size: 0 }],
        heard: Vec::new(),
        end: End::Gone,
        reason: Some("connection broken".to_owned()),
    };
    let mut histories: Vec<History> = (0..3).map(sender).collect();
    for slot in 0..3_u16 {
        let heard =
            |slot| What::Letter(Letter { from: Id { slot, life: 0 }, number: 0, to: To::All, size: 0 });
        histories[usize::from(slot)].heard =
            vec![Heard { at: 20, what: heard(slot) }, Heard { at: 21, what: heard((slot + 1) % 3) }];
    }
    let violations = check(&histories, Rules::default());
    assert!(violations.iter().any(|violation| violation.rule == Rule::OneOrder), "{violations:?}");
}

#[test]
fn two_messages_of_one_sender_in_another_order() {
    is_found(Rule::SenderOrder, |histories, random| {
        let place = pick(&histories[0], random, |_, letter| letter.number > 0).unwrap();
        let What::Letter(later) = histories[0].heard[place].what else { unreachable!() };
        let earlier = histories[0].heard[..place]
            .iter()
            .position(|heard| matches!(&heard.what, What::Letter(letter) if letter.from == later.from));
        let Some(earlier) = earlier else { return false };
        let what = std::mem::replace(&mut histories[0].heard[earlier].what, What::Letter(later));
        histories[0].heard[place].what = what;
        true
    });
}

#[test]
fn a_message_that_is_not_as_it_was_sent() {
    is_found(Rule::Altered, |histories, random| {
        let place = pick(&histories[0], random, |_, _| true).unwrap();
        let What::Letter(letter) = &mut histories[0].heard[place].what else { unreachable!() };
        match random.u8(..4) {
            0 => letter.size += 1,
            1 => letter.number = 1_000_000,
            2 => letter.from.life = 1000,
            _ => histories[0].heard[place].what = What::Strange("c3 | all clie".to_owned()),
        }
        true
    });
}

#[test]
fn a_message_that_is_for_another() {
    is_found(Rule::Misdelivered, |histories, random| {
        let others = |letter: &Letter| match letter.to {
            To::One(slot) => slot != 0,
            To::Others => letter.from.slot == 0,
            To::All | To::Myself => false,
        };
        let heard = histories.iter().skip(1).flat_map(|history| &history.heard);
        let strange = heard
            .filter(|heard| matches!(&heard.what, What::Letter(letter) if others(letter)))
            .collect::<Vec<_>>();
        let strange = random.choice(strange).unwrap().clone();
        histories[0].heard.insert(0, strange);
        true
    });
}

#[test]
fn a_private_message_that_nobody_heard_of() {
    is_found(Rule::NotFound, |histories, random| {
        // All sessions of this slot ended in order, so none can have ended before it read the message.
        let orderly =
            |slot: u16| histories.iter().all(|history| history.id.slot != slot || history.end.is_orderly());
        let told = |heard: &Heard| matches!(heard.what, What::NotFound(slot) if orderly(slot));
        let fits = |history: &History| history.end.is_orderly() && history.heard.iter().any(told);
        let Some(life) = one_that(histories, random, fits) else { return false };
        let place = histories[life].heard.iter().position(told).unwrap();
        let answer = histories[life].heard.remove(place);
        if random.bool() {
            let sent = histories[life].sent.len();
            histories[life].heard.splice(0..0, std::iter::repeat_n(answer, sent + 1));
        }
        true
    });
}

#[test]
fn an_end_that_has_no_reason_or_a_wrong_one() {
    is_found(Rule::NoReason, |histories, random| {
        let life = random.usize(..histories.len());
        histories[life].reason = None;
        true
    });
    is_found(Rule::WrongEnd, |histories, random| {
        let life = random.usize(..histories.len());
        histories[life].reason = Some("server fault".to_owned());
        true
    });
    is_found(Rule::WrongEnd, |histories, _| {
        histories[0].heard.pop();
        histories[0].end = End::Cut;
        true
    });
}

#[test]
fn who_reads_slowly_may_be_cut_or_not_as_the_rules_say() {
    let mut histories = Model::run(1, 500);
    histories[0].heard.pop();
    histories[0].end = End::Cut;
    histories[0].conduct = Conduct::Trickling;
    assert!(check(&histories, Rules { slow_readers_stay: false, ..Rules::default() }).is_empty());
    assert_eq!(
        check(&histories, Rules { slow_readers_stay: true, ..Rules::default() })[0].rule,
        Rule::WrongEnd
    );
    // Slow readers are disconnected once broadcasts have waited too long for them. From then on the others may overflow.
    for reason in [SLOW_READER, PASSED_OVER] {
        histories[0].reason = Some(reason.to_owned());
        assert!(check(&histories, Rules { slow_readers_stay: true, ..Rules::default() }).is_empty());
    }
    // Neither reason applies to a client that reads at full speed.
    histories[0].conduct = Conduct::Eager;
    assert_eq!(
        check(&histories, Rules { slow_readers_stay: false, ..Rules::default() })[0].rule,
        Rule::WrongEnd
    );
}

#[test]
fn something_after_the_last_words() {
    is_found(Rule::AfterTheEnd, |histories, random| {
        let place = pick(&histories[0], random, |_, _| true).unwrap();
        let late = histories[0].heard.remove(place);
        histories[0].heard.push(late);
        true
    });
}
