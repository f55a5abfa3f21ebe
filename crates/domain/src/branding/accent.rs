//! A merchant's accent color, accepted only if everything drawn in it is readable.

use super::color::Color;

/// The minimum contrast of text with its background (WCAG 2.2, 1.4.3, level AA); links are drawn in
/// the accent color, too.
pub const MIN_CONTRAST: f64 = 4.5;

/// Relative luminance beyond which an accent is so close to black or white that a further step
/// would not be visible.
const NEARLY_BLACK: f64 = 0.03;
const NEARLY_WHITE: f64 = 0.85;

/// The color scheme that the shopper's device prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorScheme {
    /// Dark text on a light background.
    Light,
    /// Light text on a dark background.
    Dark,
}

impl ColorScheme {
    /// The background of the checkout's content: `--surface` in the page's style sheet.
    pub const fn surface(self) -> Color {
        match self {
            Self::Light => Color::WHITE,
            Self::Dark => Color::of([0x19, 0x1d, 0x23]),
        }
    }

    /// The color of text on an accent: white, or the background of the dark page (`--page`), which
    /// is darker than its surface.
    pub const fn on_accent(self) -> Color {
        match self {
            Self::Light => Color::WHITE,
            Self::Dark => Color::of([0x10, 0x13, 0x17]),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A merchant's accent color for one scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Accent(Color);

/// Why a color is not accepted as an accent.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum AccentError {
    /// Not a color in the required form.
    #[error("must be a color such as #c2185b or #c28")]
    Form,
    /// Its contrast is too low.
    #[error(
        "{color} has a contrast of {}:1 against the {} page background ({}); at least \
         {MIN_CONTRAST}:1 is required",
        format_contrast(*.contrast), .scheme.name(), .scheme.surface()
    )]
    Contrast {
        /// The color.
        color: Color,
        /// Its contrast with the scheme's surface.
        contrast: f64,
        /// The scheme.
        scheme: ColorScheme,
    },
}

/// A contrast with one decimal, truncated: 4.48 is below 4.5.
#[expect(clippy::float_arithmetic, reason = "light is no money")]
fn format_contrast(contrast: f64) -> String {
    format!("{:.1}", (contrast * 10.0).floor() / 10.0)
}

impl Accent {
    /// Parses an accent for this scheme (`#RRGGBB` or `#RGB`).
    ///
    /// Errors if the text is not a color, or the color's contrast is too low.
    pub fn parse(text: &str, scheme: ColorScheme) -> Result<Self, AccentError> {
        let accent = Self::from_stored(text)?;
        match Palette::of(accent, scheme) {
            Some(_) => Ok(accent),
            None => Err(AccentError::Contrast {
                color: accent.0,
                contrast: accent.0.contrast(scheme.surface()),
                scheme,
            }),
        }
    }

    /// A stored accent. Its contrast is checked whenever it is shown: if the page's surface ever
    /// changes, a merchant may lose its accent, but the page stays readable.
    ///
    /// Errors if the text is not a color.
    pub fn from_stored(text: &str) -> Result<Self, AccentError> {
        Color::parse(text).map(Self).ok_or(AccentError::Form)
    }

    /// Its color.
    pub fn color(self) -> Color {
        self.0
    }
}

/// The colors derived from an accent for one scheme; all of them are readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Buttons, links and the focus ring.
    pub accent: Color,
    /// The same when hovered.
    pub hover: Color,
    /// Text on either of these.
    pub on_accent: Color,
}

impl Palette {
    /// The palette of an accent, if its contrast is sufficient in that scheme.
    pub fn of(accent: Accent, scheme: ColorScheme) -> Option<Self> {
        let Accent(color) = accent;
        let bright = color.luminance();
        let hover = match scheme {
            ColorScheme::Light if bright < NEARLY_BLACK => color.lighter(),
            ColorScheme::Light => color.darker(),
            ColorScheme::Dark if bright > NEARLY_WHITE => color.darker(),
            ColorScheme::Dark => color.lighter(),
        };
        let is_readable = color.contrast(scheme.surface()) >= MIN_CONTRAST;
        is_readable.then_some(Self {
            accent: color,
            hover,
            on_accent: scheme.on_accent(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str, scheme: ColorScheme) -> String {
        Accent::parse(text, scheme).unwrap_err().to_string()
    }

    #[test]
    fn a_low_contrast_error_names_both_values() {
        assert_eq!(
            refusal("#777", ColorScheme::Light),
            "#777777 has a contrast of 4.4:1 against the light page background (#ffffff); at least 4.5:1 is required"
        );
        assert_eq!(
            refusal("#C2185B", ColorScheme::Dark),
            "#c2185b has a contrast of 2.8:1 against the dark page background (#191d23); at least 4.5:1 is required"
        );
        assert_eq!(
            refusal("#fff", ColorScheme::Light),
            "#ffffff has a contrast of 1.0:1 against the light page background (#ffffff); at least 4.5:1 is required"
        );
        assert_eq!(
            refusal("pink", ColorScheme::Light),
            "must be a color such as #c2185b or #c28"
        );
    }

    #[test]
    fn the_contrast_bound_is_exact() {
        assert!(Accent::parse("#767676", ColorScheme::Light).is_ok());
        assert!(Accent::parse("#777777", ColorScheme::Light).is_err());
        assert!(Accent::parse("#ff80ab", ColorScheme::Dark).is_ok());
        assert!(Accent::parse("#ff80ab", ColorScheme::Light).is_err());
    }

    #[test]
    fn stored_accents_are_checked_when_shown() {
        let pale = Accent::from_stored("#ffff00").unwrap();
        assert_eq!(Palette::of(pale, ColorScheme::Light), None);
        assert!(Palette::of(pale, ColorScheme::Dark).is_some());
    }

    fn any_color() -> impl Strategy<Value = Color> {
        // Random colors are rarely near the ends, where the hover direction is reversed.
        let near_black = [0_u8..60, 0_u8..60, 0_u8..60];
        let near_white = [200_u8.., 200_u8.., 200_u8..];
        prop_oneof![
            any::<[u8; 3]>(),
            near_black.prop_map(Into::into),
            near_white.prop_map(Into::into)
        ]
        .prop_map(Color::of)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn accepted_accents_are_readable(
            color in any_color(),
            scheme in prop_oneof![Just(ColorScheme::Light), Just(ColorScheme::Dark)],
        ) {
            let accepted = Accent::parse(&color.to_string(), scheme);
            let is_readable = color.contrast(scheme.surface()) >= MIN_CONTRAST;
            prop_assert_eq!(accepted.is_ok(), is_readable);
            let surfaces = [ColorScheme::Light, ColorScheme::Dark].map(ColorScheme::surface);
            let contrasts = surfaces.map(|surface| color.contrast(surface));
            prop_assert!(contrasts.iter().any(|one| *one < MIN_CONTRAST), "one accent has enough contrast in both schemes");
            if let Ok(accent) = accepted {
                let palette = Palette::of(accent, scheme).unwrap();
                prop_assert_eq!(palette.accent, color);
                prop_assert_ne!(palette.hover, color, "hovering shows");
                for drawn in [palette.accent, palette.hover] {
                    prop_assert!(drawn.contrast(palette.on_accent) >= MIN_CONTRAST, "text on {drawn}");
                    prop_assert!(
                        drawn.contrast(scheme.surface()) >= MIN_CONTRAST,
                        "a link in {drawn}"
                    );
                }
            }
        }
    }
}
