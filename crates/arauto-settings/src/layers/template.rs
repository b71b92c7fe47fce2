//! [`template`]: writes the file that lists all settings.

use super::{Setting, Settings};

/// The file that sets every setting to its default, as operators copy it: each value below a comment with its meaning,
/// its environment variable and its flags.
#[must_use]
pub fn template<C: Settings>() -> String {
    let (defaults, mut section) = (C::default(), "");
    let mut lines = vec![C::HEADING.trim_end().to_owned()];
    for group in C::groups() {
        let first = &group[0];
        if first.section != section {
            section = first.section;
            lines.push(format!("\n[{section}]"));
        }
        lines.push(String::new());
        lines.extend(first.meaning.iter().map(|line| format!("#{line}")));
        let variables: Vec<_> = group.iter().map(Setting::variable).collect();
        let list = if (first.show)(&defaults).starts_with('[') { ", separated by commas" } else { "" };
        let flags: Vec<_> = group.iter().flat_map(|setting| setting.flags).copied().collect();
        let flags = if flags.is_empty() { String::new() } else { format!("; {}", flags.join(", ")) };
        lines.push(format!("# {}{list}{flags}", variables.join(", ")));
        lines.extend(group.iter().map(|setting| format!("{} = {}", setting.key, (setting.show)(&defaults))));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::{Applies, ConfigError, Layers, PathOf, Whole, YesNo};
    use super::*;

    crate::settings! {
        /// Two sections, the first without a name.
        pub struct Example {}

        /// Settings outside any section.
        general as "": General {
            /// A file.
            file: PathBuf, PathOf("file"), "--file", "--no-file";
        }

        /// A section.
        limits: Limits {
            /// Rate,
            ///
            /// and burst.
            rate: usize = 7, Whole(0..=9) => AtOnce;
            burst as "burst_size": usize = 8, Whole(0..=9);

            /// Whether it is on.
            on: bool, YesNo => NewSessions;
        }
    }

    impl Settings for Example {
        const PREFIX: &'static str = "X_";
        const HEADING: &'static str = "# All settings.\n";

        fn table() -> &'static [Setting<Self>] {
            Self::TABLE
        }

        fn judge(_layers: &Layers<Self>) -> Vec<ConfigError> {
            Vec::new()
        }
    }

    #[test]
    fn a_meaning_is_for_its_setting_and_those_below_without_one() {
        assert_eq!(
            template::<Example>(),
            "# All settings.\n\n# A file.\n# X_FILE; --file, --no-file\nfile = \"\"\n\n[limits]\n\n\
             # Rate,\n#\n# and burst.\n# X_LIMITS_RATE, X_LIMITS_BURST_SIZE\nrate = 7\nburst_size = 8\n\n\
             # Whether it is on.\n# X_LIMITS_ON\non = false\n"
        );
        let meanings: Vec<_> = Example::describe().map(|setting| setting.meaning).collect();
        assert_eq!(meanings, ["A file.", "Rate,  and burst.", "Rate,  and burst.", "Whether it is on."]);
        let applies: Vec<_> = Example::table().iter().map(|setting| setting.applies).collect();
        assert_eq!(applies, [Applies::Restart, Applies::AtOnce, Applies::Restart, Applies::NewSessions]);
    }

    #[test]
    fn only_paths_that_are_set_are_seen_from_a_folder() {
        let mut example = Example::default();
        example.see_from(Path::new("/etc"));
        assert_eq!(example, Example::default());
        example.general.file = "a".into();
        example.see_from(Path::new("/etc"));
        assert_eq!(example.general.file, Path::new("/etc/a"));
    }
}
