//! [`Place`]: the sort order of paths in a list: folder by folder, case-insensitive, and track 2 before track 10.

use std::{cmp::Ordering, iter::Peekable, str::Chars};

/// A relative path that sorts in display order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folded: String,
    path: Vec<u8>,
}

impl Place {
    /// Returns the sort key of this path.
    pub fn new(path: Vec<u8>) -> Self {
        Self { folded: String::from_utf8_lossy(&path).to_lowercase(), path }
    }

    /// Returns the path.
    pub fn into_path(self) -> Vec<u8> {
        self.path
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        natural(&self.folded, &other.folded).then_with(|| self.path.cmp(&other.path))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.chars().peekable(), other.chars().peekable());
    loop {
        let order = match (one.peek().copied(), other.peek().copied()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (a, b) = (number(&mut one), number(&mut other));
                a.len().cmp(&b.len()).then(a.cmp(&b))
            }
            (Some(a), Some(b)) => {
                one.next();
                other.next();
                rank(a).cmp(&rank(b))
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// `/` sorts first, so that the files of a folder stay together.
fn rank(c: char) -> u32 {
    if c == '/' { 0 } else { u32::from(c) + 1 }
}

/// Takes the digits of a number of any size, without its leading zeros.
fn number(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        if digit != '0' || !digits.is_empty() {
            digits.push(digit);
        }
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_people_look() {
        let expected =
            ["1.mp3", "01.mp4", "2.mp3", "10.mp3", "a/2", "a/10", "A/b", "a b", "B", "b", "c", "ç", "日本"];
        let mut names: Vec<_> = expected.iter().map(|name| Place::new(name.as_bytes().to_vec())).collect();
        names.reverse();
        names.sort();
        let sorted: Vec<_> =
            names.into_iter().map(|name| String::from_utf8(name.into_path()).unwrap()).collect();
        assert_eq!(sorted, expected);
    }

    proptest! {
        #[test]
        fn it_is_an_order(paths in prop::collection::vec("[aA0-2/ é]{0,6}", 3)) {
            let [a, b, c] = [0, 1, 2].map(|at| Place::new(paths[at].clone().into_bytes()));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b).is_eq(), paths[0] == paths[1]);
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }
    }
}
