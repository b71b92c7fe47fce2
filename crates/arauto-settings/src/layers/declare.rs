//! [`settings!`](crate::settings): a configuration type, its defaults and its table, from one list of settings.

/// Declares a configuration type with one struct for each section, their defaults, and the table of all settings, as the
/// private constant `TABLE`. The fields of the configuration type itself, if any, are no settings.
///
/// A section is `field: Struct { entries }`, or `field as "": Struct { entries }` for settings without a section, which
/// come first. An entry is one setting, below a doc comment that gives its meaning:
///
/// ```text
/// field as "key": type = default, form, "--flag" => applies;
/// ```
///
/// - `as "key"` is for a key that differs from the field.
/// - Without `= default`, the type's own default holds.
/// - `form` is a [`Form`](crate::layers::Form) of this type, with the bounds.
/// - The flags that set it are only mentioned in the [`template`](crate::layers::template()).
/// - `applies` is a variant of [`Applies`](crate::layers::Applies). Without it, a change needs a restart.
/// - An entry without a doc comment shares the meaning of the one before it.
#[macro_export]
macro_rules! settings {
    (
        $(#[$about_config:meta])*
        pub struct $config:ident { $($plain:tt)* }
        $(
            $(#[$about:meta])*
            $section:ident $(as $section_key:literal)?: $group:ident {
                $(
                    $(#[doc = $meaning:literal])*
                    $field:ident $(as $key:literal)?: $type:ty $(= $default:expr)?,
                    $form:expr $(, $flag:literal)* $(=> $applies:ident)?;
                )*
            }
        )*
    ) => {
        $(#[$about_config])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $config {
            $($plain)*
            $($(#[$about])* pub $section: $group,)*
        }

        impl $config {
            const TABLE: &'static [$crate::layers::Setting<Self>] = &[$($($crate::layers::Setting {
                section: $group::SECTION,
                key: $crate::settings!(@key $field $($key)?),
                meaning: &[$($meaning),*],
                flags: &[$($flag),*],
                applies: $crate::settings!(@applies $($applies)?),
                allowed: || $crate::layers::Form::allowed(&$form),
                set: |config, raw| {
                    config.$section.$field = $crate::layers::Form::read(&$form, raw)?;
                    Ok(())
                },
                show: |config| $crate::layers::Form::show(&$form, &config.$section.$field),
                copy: |from, to| to.$section.$field.clone_from(&from.$section.$field),
                path_mut: |config| $crate::layers::Form::path(&$form, &mut config.$section.$field),
            }),*),*];
        }

        $(
            $(#[$about])*
            #[derive(Clone, Debug, PartialEq)]
            pub struct $group {
                $(
                    $(#[doc = $meaning])*
                    #[doc = concat!("\n\nAllowed: `", stringify!($form), "`.")]
                    pub $field: $type,
                )*
            }

            impl $group {
                const SECTION: &'static str = $crate::settings!(@key $section $($section_key)?);
            }

            impl Default for $group {
                fn default() -> Self {
                    Self { $($field: $crate::settings!(@default $($default)?)),* }
                }
            }
        )*
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@applies) => { $crate::layers::Applies::Restart };
    (@applies $applies:ident) => { $crate::layers::Applies::$applies };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
}
