//! A merchant's accent colour: taken only where everything that is drawn in it can be read.

use super::colour::Colour;

/// The least contrast of text with what lies behind it (WCAG 2.2, 1.4.3, level AA); an accent is the
/// colour of links, too.
pub const LEAST_CONTRAST: f64 = 4.5;

/// An accent is this close to black or white (relative luminance) when a step further could not be seen.
const NEARLY_BLACK: f64 = 0.03;
const NEARLY_WHITE: f64 = 0.85;

/// What the shopper's device asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Scheme {
    /// What the checkout's content lies on: `--surface` in the page's style sheet.
    pub const fn surface(self) -> Colour {
        match self {
            Self::Light => Colour::WHITE,
            Self::Dark => Colour::of([0x19, 0x1d, 0x23]),
        }
    }

    /// The colour of text on an accent: white, or the ground of the dark page (`--page`), which is
    /// darker than its surface.
    pub const fn ink(self) -> Colour {
        match self {
            Self::Light => Colour::WHITE,
            Self::Dark => Colour::of([0x10, 0x13, 0x17]),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A colour that a merchant has given for one scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Accent(Colour);

/// Why a colour is no accent.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum AccentError {
    /// Not a colour as it is to be written.
    #[error("must be a colour like #c2185b or #c28")]
    Form,
    /// It would be hard to read.
    #[error(
        "{colour} has a contrast of {}:1 with the {} page ({}); at least {LEAST_CONTRAST}:1 is needed",
        cut(*.contrast), .scheme.name(), .scheme.surface()
    )]
    Contrast {
        /// The colour.
        colour: Colour,
        /// Its contrast with the scheme's surface.
        contrast: f64,
        /// The scheme.
        scheme: Scheme,
    },
}

/// A contrast with one decimal, cut off: 4.48 is not yet 4.5.
#[expect(clippy::float_arithmetic, reason = "light is no money")]
fn cut(contrast: f64) -> String {
    format!("{:.1}", (contrast * 10.0).floor() / 10.0)
}

impl Accent {
    /// The accent of this scheme that is written so (`#RRGGBB` or `#RGB`).
    ///
    /// Errors: what is no colour, and a colour with too little contrast.
    pub fn parse(text: &str, scheme: Scheme) -> Result<Self, AccentError> {
        let accent = Self::kept(text)?;
        match Shade::of(accent, scheme) {
            Some(_) => Ok(accent),
            None => Err(AccentError::Contrast {
                colour: accent.0,
                contrast: accent.0.contrast(scheme.surface()),
                scheme,
            }),
        }
    }

    /// An accent that was kept. Its contrast is judged whenever it is shown: should the page's surface
    /// ever change, a merchant may lose its accent, but can be read all the same.
    ///
    /// Errors: what is no colour.
    pub fn kept(text: &str) -> Result<Self, AccentError> {
        Colour::parse(text).map(Self).ok_or(AccentError::Form)
    }

    /// Its colour.
    pub fn colour(self) -> Colour {
        self.0
    }
}

/// The colours that come of an accent on one scheme; all of them can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shade {
    /// Buttons, links and the focus ring.
    pub accent: Colour,
    /// The same under the pointer.
    pub hover: Colour,
    /// Text on either of them.
    pub ink: Colour,
}

impl Shade {
    /// The shade of an accent, if it keeps its contrast there.
    pub fn of(accent: Accent, scheme: Scheme) -> Option<Self> {
        let Accent(colour) = accent;
        let bright = colour.luminance();
        let hover = match scheme {
            Scheme::Light if bright < NEARLY_BLACK => colour.lighter(),
            Scheme::Light => colour.darker(),
            Scheme::Dark if bright > NEARLY_WHITE => colour.darker(),
            Scheme::Dark => colour.lighter(),
        };
        let is_readable = colour.contrast(scheme.surface()) >= LEAST_CONTRAST;
        is_readable.then_some(Self {
            accent: colour,
            hover,
            ink: scheme.ink(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str, scheme: Scheme) -> String {
        Accent::parse(text, scheme).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_says_how_much_is_lacking() {
        assert_eq!(
            refusal("#777", Scheme::Light),
            "#777777 has a contrast of 4.4:1 with the light page (#ffffff); at least 4.5:1 is needed"
        );
        assert_eq!(
            refusal("#C2185B", Scheme::Dark),
            "#c2185b has a contrast of 2.8:1 with the dark page (#191d23); at least 4.5:1 is needed"
        );
        assert_eq!(
            refusal("#fff", Scheme::Light),
            "#ffffff has a contrast of 1.0:1 with the light page (#ffffff); at least 4.5:1 is needed"
        );
        assert_eq!(
            refusal("pink", Scheme::Light),
            "must be a colour like #c2185b or #c28"
        );
    }

    #[test]
    fn the_bound_is_met_from_both_sides() {
        assert!(Accent::parse("#767676", Scheme::Light).is_ok());
        assert!(Accent::parse("#777777", Scheme::Light).is_err());
        assert!(Accent::parse("#ff80ab", Scheme::Dark).is_ok());
        assert!(Accent::parse("#ff80ab", Scheme::Light).is_err());
    }

    #[test]
    fn what_was_kept_is_judged_when_it_is_shown() {
        let pale = Accent::kept("#ffff00").unwrap();
        assert_eq!(Shade::of(pale, Scheme::Light), None);
        assert!(Shade::of(pale, Scheme::Dark).is_some());
    }

    fn any_colour() -> impl Strategy<Value = Colour> {
        // Random colours are rarely near the ends, where hovering turns round.
        let near_black = [0_u8..60, 0_u8..60, 0_u8..60];
        let near_white = [200_u8.., 200_u8.., 200_u8..];
        prop_oneof![
            any::<[u8; 3]>(),
            near_black.prop_map(Into::into),
            near_white.prop_map(Into::into)
        ]
        .prop_map(Colour::of)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn whatever_is_accepted_can_be_read(
            colour in any_colour(),
            scheme in prop_oneof![Just(Scheme::Light), Just(Scheme::Dark)],
        ) {
            let accepted = Accent::parse(&colour.to_string(), scheme);
            let is_readable = colour.contrast(scheme.surface()) >= LEAST_CONTRAST;
            prop_assert_eq!(accepted.is_ok(), is_readable);
            let surfaces = [Scheme::Light, Scheme::Dark].map(Scheme::surface);
            let contrasts = surfaces.map(|surface| colour.contrast(surface));
            prop_assert!(contrasts.iter().any(|one| *one < LEAST_CONTRAST), "no accent serves both");
            if let Ok(accent) = accepted {
                let shade = Shade::of(accent, scheme).unwrap();
                prop_assert_eq!(shade.accent, colour);
                prop_assert_ne!(shade.hover, colour, "hovering shows");
                for drawn in [shade.accent, shade.hover] {
                    prop_assert!(drawn.contrast(shade.ink) >= LEAST_CONTRAST, "text on {drawn}");
                    prop_assert!(
                        drawn.contrast(scheme.surface()) >= LEAST_CONTRAST,
                        "a link in {drawn}"
                    );
                }
            }
        }
    }
}
