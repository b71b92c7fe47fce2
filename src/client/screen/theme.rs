//! [`Theme`]: how things look. What a colour says is always said by a sign or a word too.

use ratatui::style::{Color, Modifier, Style};

/// Colours of names: of middling lightness, so that they can be read on black and on white.
const NAMES: [u8; 10] = [31, 67, 71, 97, 101, 130, 132, 136, 166, 37];

/// How things look.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    colours: bool,
}

impl Theme {
    /// With colours or without; bold and underlined there is either way.
    #[must_use]
    pub fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// Whether there are any.
    #[must_use]
    pub fn has_colours(self) -> bool {
        self.colours
    }

    fn coloured(self, number: u8) -> Style {
        if self.colours { Style::new().fg(Color::Indexed(number)) } else { Style::new() }
    }

    /// What should not draw the eye: times, rules, keys, notices.
    #[must_use]
    pub fn quiet(self) -> Style {
        if self.colours { self.coloured(245) } else { Style::new().add_modifier(Modifier::DIM) }
    }

    /// A name. Each has one colour, the same on every screen and every day.
    #[must_use]
    pub fn name(self, name: &str, is_own: bool) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        if is_own {
            return bold;
        }
        // FNV-1a: fixed, unlike the standard library's.
        let hash = name
            .to_lowercase()
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        self.coloured(NAMES[hash as usize % NAMES.len()]).patch(bold)
    }

    /// What is said to one alone.
    #[must_use]
    pub fn private(self) -> Style {
        self.coloured(133)
    }

    /// What went wrong.
    #[must_use]
    pub fn error(self) -> Style {
        self.coloured(160).add_modifier(Modifier::BOLD)
    }

    /// All is well.
    #[must_use]
    pub fn good(self) -> Style {
        self.coloured(71)
    }

    /// What asks to be noticed: unread messages, questions.
    #[must_use]
    pub fn notable(self) -> Style {
        self.coloured(136).add_modifier(Modifier::BOLD)
    }

    /// Set off from what it stands in: a character that is not shown as it is.
    #[must_use]
    pub fn escape(style: Style) -> Style {
        style.add_modifier(Modifier::UNDERLINED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_colour() {
        let theme = Theme::new(true);
        assert_eq!(theme.name("ana", false), theme.name("ANA", false));
        assert_ne!(theme.name("ana", false), theme.name("rui", false));
        for name in ["ana", "rui", "eva"] {
            assert_eq!(Theme::new(false).name(name, false).fg, None);
        }
        assert_eq!(Theme::new(false).error().fg, None);
    }
}
