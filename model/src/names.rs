//! Closed lists of names: an enum in code, a name at the edges.

/// A name that is not one of a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`; known: {known}")]
pub struct UnknownName {
    /// What is named: a method, a unit.
    pub what: &'static str,
    /// The name given.
    pub name: String,
    /// The names allowed, separated by commas.
    pub known: &'static str,
}

impl UnknownName {
    /// A cure.
    pub fn hint(&self) -> &'static str {
        "choose one of those known"
    }
}

/// Gives an enum without data its names: `ALL` variants, the list of their `NAMES` for messages and help, `name`, `Display` and
/// `FromStr`. A new variant is a line here, and stands in every list.
///
/// # Example
/// ```
/// #[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// enum Pole {
///     Positive,
///     Negative,
/// }
///
/// redline_model::named_enum! {
///     "pole", Pole { Positive = "positive", Negative = "negative" }
/// }
///
/// assert_eq!("negative".parse(), Ok(Pole::Negative));
/// assert_eq!(Pole::NAMES, "positive, negative");
/// let error = "neutral".parse::<Pole>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown pole `neutral`; known: positive, negative");
/// ```
#[macro_export]
macro_rules! named_enum {
    ($what:literal, $Enum:ident { $First:ident = $first:literal $(, $Variant:ident = $name:literal)* $(,)? }) => {
        impl $Enum {
            /// Every one of them, in the order of their names.
            pub const ALL: [Self; [$first $(, $name)*].len()] = [Self::$First $(, Self::$Variant)*];
            /// Their names, separated by commas.
            pub const NAMES: &'static str = concat!($first $(, ", ", $name)*);

            /// The name used on the command line and in files.
            pub fn name(self) -> &'static str {
                match self {
                    Self::$First => $first,
                    $(Self::$Variant => $name,)*
                }
            }
        }

        impl ::std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl ::std::str::FromStr for $Enum {
            type Err = $crate::UnknownName;

            fn from_str(name: &str) -> ::std::result::Result<Self, $crate::UnknownName> {
                let unknown = || $crate::UnknownName { what: $what, name: name.to_owned(), known: Self::NAMES };
                Self::ALL.into_iter().find(|one| one.name() == name).ok_or_else(unknown)
            }
        }
    };
}
