//! An sRGB color, and its WCAG 2.2 contrast with another.

use std::fmt;

/// How far a hovered color is mixed towards black or white, in percent.
const HOVER_MIX_PERCENT: u16 = 18;

/// An sRGB color without transparency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color([u8; 3]);

impl Color {
    /// Black.
    pub const BLACK: Self = Self([0; 3]);
    /// White.
    pub const WHITE: Self = Self([u8::MAX; 3]);

    /// The color with these red, green and blue channels.
    pub const fn of(channels: [u8; 3]) -> Self {
        Self(channels)
    }

    /// Parses `#RRGGBB` or `#RGB` in either case; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let full: String = match digits.len() {
            3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
            _ => digits.to_owned(),
        };
        let mut channels = [0; 3];
        hex::decode_to_slice(full, &mut channels).ok()?;
        Some(Self(channels))
    }

    /// The contrast with another color, from 1 (equal) to 21 (black and white); symmetric.
    /// <https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>
    #[expect(clippy::float_arithmetic, reason = "light is no money")]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, another) = (self.luminance(), other.luminance());
        (one.max(another) + 0.05) / (one.min(another) + 0.05)
    }

    /// The relative luminance, from 0 (black) to 1 (white).
    /// <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>
    #[expect(clippy::float_arithmetic, reason = "light is no money")]
    pub fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let part = f64::from(channel) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// A step towards black.
    #[must_use]
    pub fn darker(self) -> Self {
        Self(self.0.map(darker))
    }

    /// A step towards white.
    #[must_use]
    pub fn lighter(self) -> Self {
        Self(self.0.map(|channel| !darker(!channel)))
    }
}

fn darker(channel: u8) -> u8 {
    let kept = u16::from(channel).saturating_mul(100_u16.saturating_sub(HOVER_MIX_PERCENT)) / 100;
    u8::try_from(kept).unwrap_or(channel)
}

impl fmt::Display for Color {
    /// `#rrggbb`: always a `#` and six digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Debug for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Color({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        Color::parse(text).unwrap()
    }

    #[test]
    fn colors_parse_in_both_forms() {
        for (text, written) in [
            ("#C2185B", "#c2185b"),
            ("#c2185b", "#c2185b"),
            ("#F0a", "#ff00aa"),
            ("#000", "#000000"),
        ] {
            assert_eq!(color(text).to_string(), written);
        }
    }

    #[test]
    fn invalid_colors_are_none() {
        for text in [
            "",
            "#",
            "c2185b",
            "#c2185",
            "#c2185bff",
            "#c2",
            "#c2185g",
            "##2185b",
            " #c2185b",
            "#c2185b ",
            "red",
            "rgb(1,2,3)",
            "#c2185b;}",
            "#ÿÿÿ",
            "#١٢٣",
        ] {
            assert_eq!(Color::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn contrasts_match_published_values() {
        // As common contrast checkers print them, with two decimals.
        for (one, another, published) in [
            ("#767676", "#ffffff", 4.54),
            ("#777777", "#ffffff", 4.48),
            ("#000000", "#ffffff", 21.0),
            ("#ffffff", "#ffffff", 1.0),
            ("#ff0000", "#ffffff", 4.00),
            ("#0000ff", "#ffffff", 8.59),
            ("#00ff00", "#ffffff", 1.37),
            ("#595959", "#ffffff", 7.00),
            ("#949494", "#ffffff", 3.03),
            ("#0000ff", "#000000", 2.44),
        ] {
            let found = color(one).contrast(color(another));
            assert!(
                (found - published).abs() < 0.006,
                "{one} {another}: {found}"
            );
            let turned = color(another).contrast(color(one));
            assert!((found - turned).abs() < f64::EPSILON, "{one} {another}");
        }
    }

    #[test]
    fn darker_and_lighter_are_bounded() {
        assert_eq!(color("#c2185b").darker(), color("#9f134a"));
        assert_eq!(color("#3d7a00").lighter(), color("#60922e"));
        assert_eq!(Color::BLACK.darker(), Color::BLACK);
        assert_eq!(Color::WHITE.lighter(), Color::WHITE);
    }
}
