//! Serialization of the types whose texts were checked. Reading checks again what no text may hold, so that no bytes can
//! become a line of two messages; names keep the key that their writer computed, whatever its tables of Unicode.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    line::{CheckedData, Line},
    message::{Field, Message, first_forbidden},
    name::{Name, NameKey},
};

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        Message::parse(text)
            .ok()
            .and_then(|message| Self::new(&message).ok())
            .ok_or_else(|| Error::custom("the text is not a message"))
    }
}

impl Serialize for CheckedData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for CheckedData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        if first_forbidden(Field::Data, text).is_some() {
            return Err(Error::custom("the text is not DATA"));
        }
        Ok(Self::checked(text))
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.as_str(), self.key()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (shown, key) = <(Arc<str>, NameKey)>::deserialize(deserializer)?;
        if shown.is_empty() || first_forbidden(Field::Sender, &shown).is_some() {
            return Err(Error::custom("the text is not a name"));
        }
        Ok(Self::checked(shown, key))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::{Asker, Kind, Moderation, Operation, Request, request::Direct};

    fn encoded(value: &impl Serialize) -> Vec<u8> {
        postcard::to_allocvec(value).unwrap()
    }

    #[track_caller]
    fn comes_back<'de, T: Deserialize<'de> + Debug>(value: &T, bytes: &'de [u8]) {
        let read: T = postcard::from_bytes(bytes).unwrap();
        assert_eq!(format!("{read:?}"), format!("{value:?}"));
    }

    fn is_refused<T: DeserializeOwned>(written: &impl Serialize) -> bool {
        postcard::from_bytes::<T>(&encoded(written)).is_err()
    }

    #[test]
    fn what_a_request_holds_comes_back_as_it_was() {
        let ana = Name::parse("Ana  Иванова", 489).unwrap();
        let asker = Asker { name: &ana, kind: Kind::Line, limit: 1024 };
        comes_back(&ana, &encoded(&ana));
        comes_back(&ana.looks(), &encoded(&ana.looks()));
        for typed in ["/all a\t|b, 🙂", "/others x"] {
            let (Request::Broadcast(line) | Request::BroadcastNotMe(line)) =
                Request::read(typed.as_bytes(), &asker)
            else {
                panic!("{typed}")
            };
            comes_back(&line, &encoded(&line));
        }
        let Request::Direct(direct) = Request::read("/msg Bob Å | b".as_bytes(), &asker) else {
            panic!("no message")
        };
        comes_back::<Direct>(&direct, &encoded(&direct));
        for typed in
            ["/kick bob rude", "/ban 192.0.2.9/24 1h rude", "/ban BoB", "/unban 2001:db8::/64", "/bans"]
        {
            let Request::Moderate(moderation) = Request::read(typed.as_bytes(), &asker) else {
                panic!("{typed}")
            };
            comes_back::<Moderation>(&moderation, &encoded(&moderation));
        }
    }

    #[test]
    fn no_text_becomes_two_messages_or_an_escape_sequence() {
        for text in ["a | b | c | d\ne", "a | b | c | \u{1b}[2J", "no message", "a | b\r | c | d", ""] {
            assert!(is_refused::<Line>(&text.to_owned()), "{text:?}");
        }
        assert!(is_refused::<CheckedData>(&"a\nb"));
        for name in ["", "a\nb", "a|b", "a\u{9b}b"] {
            assert!(is_refused::<Name>(&(name, "key")), "{name:?}");
        }
        assert!(is_refused::<Operation>(&200_u32));
    }
}
