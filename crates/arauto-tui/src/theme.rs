//! [`Theme`]: colours and styles. Each meaning of a colour is also shown by a sign or a word.

use ratatui::style::{Color, Modifier, Style};

/// Colours of names, of medium lightness, so that they can be read on black and on white.
const NAMES: [u8; 10] = [31, 67, 71, 97, 101, 130, 132, 136, 166, 37];

/// Colours and styles.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    colours: bool,
}

impl Theme {
    /// Creates a theme with or without colours. Bold and underlined text is used in both cases.
    #[must_use]
    pub fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// Whether colours are used.
    #[must_use]
    pub fn has_colours(self) -> bool {
        self.colours
    }

    fn coloured(self, number: u8) -> Style {
        if self.colours { Style::new().fg(Color::Indexed(number)) } else { Style::new() }
    }

    /// Style of what should not draw attention: times, rules, keys, notices.
    #[must_use]
    pub fn quiet(self) -> Style {
        if self.colours { self.coloured(245) } else { Style::new().add_modifier(Modifier::DIM) }
    }

    /// Style of a name. Each name has one colour, the same on every screen and at all times.
    #[must_use]
    pub fn name(self, name: &str, is_own: bool) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        if is_own {
            return bold;
        }
        // FNV-1a, because the standard library's hash may change.
        let hash = name
            .to_lowercase()
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        self.coloured(NAMES[hash as usize % NAMES.len()]).patch(bold)
    }

    /// Style of private messages.
    #[must_use]
    pub fn private(self) -> Style {
        self.coloured(133)
    }

    /// Style of errors.
    #[must_use]
    pub fn error(self) -> Style {
        self.coloured(160).add_modifier(Modifier::BOLD)
    }

    /// Style of a good state.
    #[must_use]
    pub fn good(self) -> Style {
        self.coloured(71)
    }

    /// Style of what should draw attention: unread messages, questions.
    #[must_use]
    pub fn notable(self) -> Style {
        self.coloured(136).add_modifier(Modifier::BOLD)
    }

    /// Style of a character that is shown as an escape, set off from the text around it.
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
