//! Branding of a merchant's checkout: an accent for each color scheme, and a logo.

pub mod accent;
pub mod color;
pub mod logo;

use self::{
    accent::{Accent, ColorScheme, Palette},
    logo::Logo,
};

/// A merchant's branding; unset parts use the checkout's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branding {
    /// The accent for the light scheme.
    pub accent: Option<Accent>,
    /// The accent for the dark scheme.
    pub accent_dark: Option<Accent>,
    /// The logo.
    pub logo: Option<Logo>,
}

impl Branding {
    /// The palette for this scheme; `None` for the checkout's default. An accent is never used for
    /// the other scheme: white and the dark surface have a contrast of 16.9:1, so no color reaches
    /// 4.5:1 with both.
    pub fn palette(&self, scheme: ColorScheme) -> Option<Palette> {
        let accent = match scheme {
            ColorScheme::Light => self.accent,
            ColorScheme::Dark => self.accent_dark,
        };
        accent.and_then(|accent| Palette::of(accent, scheme))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON_LIGHT: &str = "#c2185b";
    const ON_DARK: &str = "#ff80ab";

    fn check(light: Option<&str>, dark: Option<&str>, shown: [Option<&str>; 2]) {
        let accent = |text: &str| Accent::from_stored(text).unwrap();
        let branding = Branding {
            accent: light.map(accent),
            accent_dark: dark.map(accent),
            logo: None,
        };
        let color = |scheme| {
            branding
                .palette(scheme)
                .map(|palette| palette.accent.to_string())
        };
        let found = [ColorScheme::Light, ColorScheme::Dark].map(color);
        assert_eq!(
            found.each_ref().map(Option::as_deref),
            shown,
            "{branding:?}"
        );
    }

    #[test]
    fn each_scheme_has_its_own_accent_or_none() {
        check(None, None, [None, None]);
        check(Some(ON_LIGHT), None, [Some(ON_LIGHT), None]);
        check(None, Some(ON_DARK), [None, Some(ON_DARK)]);
        let both = [Some(ON_LIGHT), Some(ON_DARK)];
        check(both[0], both[1], both);
        // Stored under a contrast bound other than today's.
        check(both[1], both[0], [None, None]);
    }
}
