//! Finds messages that were due to a client and that it did not receive.

use std::collections::HashMap;

use super::{Checker, End, Rule, Stamp, Violation, What, is_for, letters};
use crate::history::letter::{Letter, To};

/// Number of other histories from which the order of broadcasts is taken: the longest ones suffice.
const GUIDES: usize = 4;

impl Checker<'_> {
    /// Finds the messages that were due to a client and that it did not receive.
    pub(super) fn judge_missed(&mut self, hearer: usize) {
        let me = &self.histories[hearer];
        let Some(joined) = me.joined else { return };
        let reach = self.reach(hearer);
        for (from, sender) in self.histories.iter().enumerate() {
            // Stamps rise with the numbers, so a binary search skips everything sent before the client joined.
            let first = sender.sent.partition_point(|sent| sent.at <= joined);
            let mut missed = Vec::new();
            let accepted = self.accepted[from];
            for (number, sent) in (0..accepted).zip(&sender.sent[..accepted as usize]).skip(first) {
                if !is_for(sent.to, sender.id, me.id) || self.got[hearer].contains(&(from, number)) {
                    continue;
                }
                let promised = match me.end {
                    End::Stayed => true,
                    End::Exited(leaving) | End::Finished(leaving) => {
                        self.known[from][number as usize] < leaving
                    }
                    End::Cut | End::Gone => false,
                };
                let letter = Letter { from: sender.id, number, to: sent.to, size: sent.size };
                if promised {
                    missed.push((Rule::Lost, letter));
                } else if number < reach[from] {
                    missed.push((Rule::Gap, letter));
                }
            }
            for (rule, letter) in missed {
                let story =
                    format!("{} ({:?}) did not hear {letter}, sent after it had joined", me.id, me.end);
                self.broken(rule, story);
            }
        }
    }

    /// By sender: the number below which all its messages are, or came before, a message that this client received.
    fn reach(&self, hearer: usize) -> Vec<u32> {
        let mut reach = vec![0; self.histories.len()];
        for &(from, number) in &self.got[hearer] {
            reach[from] = reach[from].max(number + 1);
        }
        // The other histories show what came before the last broadcast that they share with this one.
        let mut guides: Vec<usize> = (0..self.histories.len()).filter(|guide| *guide != hearer).collect();
        guides.sort_by_key(|guide| std::cmp::Reverse(self.got[*guide].len()));
        for &guide in guides.iter().take(GUIDES) {
            let broadcasts: Vec<(usize, u32)> = letters(&self.histories[guide])
                .filter(|(letter, _)| letter.to.is_broadcast())
                .filter_map(|(letter, _)| Some((*self.index.get(&letter.from)?, letter.number)))
                .collect();
            let shared = broadcasts.iter().rposition(|broadcast| self.got[hearer].contains(broadcast));
            for &(from, number) in &broadcasts[..shared.map_or(0, |last| last + 1)] {
                reach[from] = reach[from].max(number + 1);
            }
        }
        reach
    }

    /// Checks that each private message that no client received has an explanation.
    pub(super) fn judge_private(&mut self) {
        for (from, sender) in self.histories.iter().enumerate() {
            let mut unheard: HashMap<u16, u32> = HashMap::new();
            let mut unexplained: HashMap<u16, u32> = HashMap::new();
            for (number, sent) in sender.sent.iter().enumerate() {
                let To::One(slot) = sent.to else { continue };
                if self.hearers[from][number] > 0 {
                    continue;
                }
                *unheard.entry(slot).or_default() += 1;
                if number < self.accepted[from] as usize && !self.may_be_lost(slot, sent.at) {
                    *unexplained.entry(slot).or_default() += 1;
                }
            }
            let mut told: HashMap<u16, u32> = HashMap::new();
            for heard in &sender.heard {
                if let What::NotFound(slot) = heard.what {
                    *told.entry(slot).or_default() += 1;
                }
            }
            let count = |of: &HashMap<u16, u32>, slot| of.get(&slot).copied().unwrap_or(0);
            for (&slot, &told) in &told {
                if told > count(&unheard, slot) {
                    let story = format!("{} was told {told} times that there is no c{slot}", sender.id);
                    self.violations.push(Violation { rule: Rule::NotFound, story });
                }
            }
            for (&slot, &unexplained) in &unexplained {
                let told = count(&told, slot);
                if sender.end.is_orderly() && unexplained > told {
                    let story = format!(
                        "of what {} sent to c{slot}, {unexplained} were heard by nobody, and it was told of {told}",
                        sender.id
                    );
                    self.violations.push(Violation { rule: Rule::NotFound, story });
                }
            }
        }
    }

    /// Whether a private message sent at this time can have been for a session that ended before it read the message.
    fn may_be_lost(&self, slot: u16, sent: Stamp) -> bool {
        let lives = || self.histories.iter().filter(|history| history.id.slot == slot);
        let bearer = lives()
            .filter(|life| life.joined.is_some_and(|joined| joined < sent))
            .map(|life| life.id.life)
            .max();
        lives().any(|life| !life.end.is_orderly() && bearer.is_none_or(|bearer| life.id.life >= bearer))
    }
}
