//! Checks that all broadcasts have one total order.

use std::collections::{HashMap, HashSet};

use super::{History, Rule, Violation, letters};
use crate::history::letter::Letter;

/// The index of a broadcast.
type Node = usize;

/// Looks for a total order with which the order at each client agrees. If there is none, reports pairs of clients that
/// received two broadcasts in opposite orders, or, if there is no such pair, the number of broadcasts without an order.
pub fn judge(histories: &[History], violations: &mut Vec<Violation>) {
    let mut nodes: HashMap<_, Node> = HashMap::new();
    let mut broadcasts: Vec<Letter> = Vec::new();
    let mut heard: Vec<Vec<Node>> = Vec::new();
    for history in histories {
        // Only the first copy counts: `Rule::Doubled` reports duplicates.
        let mut own = HashSet::new();
        let mut order = Vec::new();
        for (letter, _) in letters(history).filter(|(letter, _)| letter.to.is_broadcast()) {
            let node = *nodes.entry((letter.from, letter.number)).or_insert_with(|| {
                broadcasts.push(*letter);
                broadcasts.len() - 1
            });
            if own.insert(node) {
                order.push(node);
            }
        }
        heard.push(order);
    }
    let circle = left_over(broadcasts.len(), &heard);
    if circle.is_empty() {
        return;
    }
    let mut stories = inversions(histories, &broadcasts, &heard, &circle);
    if stories.is_empty() {
        stories.push(format!("{} broadcasts that no order of all fits", circle.len()));
    }
    violations.extend(stories.into_iter().map(|story| Violation { rule: Rule::OneOrder, story }));
}

/// Repeatedly removes the broadcasts that have no predecessor (a topological sort). What is left has no order.
fn left_over(count: usize, heard: &[Vec<Node>]) -> HashSet<Node> {
    let mut after: Vec<Vec<Node>> = vec![Vec::new(); count];
    let mut before = vec![0_usize; count];
    for order in heard {
        for pair in order.windows(2) {
            after[pair[0]].push(pair[1]);
            before[pair[1]] += 1;
        }
    }
    let mut free: Vec<Node> = (0..count).filter(|node| before[*node] == 0).collect();
    let mut left: HashSet<Node> = (0..count).collect();
    while let Some(node) = free.pop() {
        left.remove(&node);
        for &next in &after[node] {
            before[next] -= 1;
            if before[next] == 0 {
                free.push(next);
            }
        }
    }
    left
}

/// For each pair of clients that disagree, the first two broadcasts that they received in opposite orders. At most
/// `MOST` pairs.
fn inversions(
    histories: &[History],
    broadcasts: &[Letter],
    heard: &[Vec<Node>],
    circle: &HashSet<Node>,
) -> Vec<String> {
    const MOST: usize = 20;
    let mut stories = Vec::new();
    for (one, order) in heard.iter().enumerate() {
        let place: HashMap<Node, usize> = order
            .iter()
            .enumerate()
            .filter(|(_, node)| circle.contains(node))
            .map(|(p, n)| (*n, p))
            .collect();
        for (other, order) in heard.iter().enumerate().skip(one + 1) {
            let common: Vec<Node> = order.iter().copied().filter(|node| place.contains_key(node)).collect();
            if let Some(pair) = common.windows(2).find(|pair| place[&pair[0]] > place[&pair[1]]) {
                stories.push(format!(
                    "{} heard {} before {}, and {} the other way round",
                    histories[other].id, broadcasts[pair[0]], broadcasts[pair[1]], histories[one].id
                ));
                if stories.len() == MOST {
                    return stories;
                }
            }
        }
    }
    stories
}
