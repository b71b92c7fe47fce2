//! `named_enum!`: enums whose variants have names.

/// Declares an enum of variants with names for metrics and logs. The list of the variants, `ALL`, and their names,
/// `as_str`, come from the declaration, so that neither can miss a variant.
///
/// ```
/// arauto_protocol::named_enum! {
///     /// A side of a coin.
///     #[derive(Clone, Copy)]
///     pub enum Side {
///         /// The side with the portrait.
///         Obverse = "heads",
///         /// The other side.
///         Reverse = "tails",
///     }
/// }
///
/// assert_eq!(Side::ALL.map(Side::as_str), ["heads", "tails"]);
/// ```
#[macro_export]
macro_rules! named_enum {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$attribute])*
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant,)+
        }

        impl $name {
            /// All variants, in the order of the enum.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The variant's name in metrics and logs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}
