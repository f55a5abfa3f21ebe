//! The merchant's branding on the page: an extra stylesheet and a logo, both inlined, so that the
//! page loads nothing from elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oncharge_domain::branding::Branding;
use oncharge_domain::branding::accent::{ColorScheme, Palette};
use oncharge_domain::branding::logo::Logo;

use super::assets::base64_sha256;

/// The stylesheet of the accent colors, with its digest.
pub(super) struct AccentStyle {
    /// Contains only properties and colors of six hexadecimal digits.
    pub(super) style: String,
    /// Base64 SHA-256 of the style, for the Content-Security-Policy.
    pub(super) digest: String,
}

/// The stylesheet of this branding, if it has a valid accent color.
pub(super) fn accent_style(branding: &Branding) -> Option<AccentStyle> {
    // Each color scheme separately: one without an accent keeps the default.
    let schemes = [
        (
            ColorScheme::Light,
            "not all and (prefers-color-scheme:dark)",
        ),
        (ColorScheme::Dark, "(prefers-color-scheme:dark)"),
    ];
    let rules = schemes.map(|(scheme, query)| {
        branding
            .palette(scheme)
            .map(|palette| css_rule(query, palette))
    });
    let style: String = rules.into_iter().flatten().collect();
    (!style.is_empty()).then(|| AccentStyle {
        digest: base64_sha256(&style),
        style,
    })
}

fn css_rule(query: &str, palette: Palette) -> String {
    let Palette {
        accent,
        hover,
        on_accent,
    } = palette;
    format!(
        "@media {query}{{:root{{--accent:{accent};--accent-hover:{hover};--on-accent:{on_accent};\
         --focus:{accent}}}}}"
    )
}

/// The logo as a data URL for the `src` of an `<img>`. There, a browser runs no script of an SVG
/// and loads none of its references; it must not be used anywhere else.
pub(super) fn data_url(logo: &Logo) -> String {
    let media_type = logo.kind().media_type();
    format!("data:{media_type};base64,{}", STANDARD.encode(logo.bytes()))
}

#[cfg(test)]
mod tests {
    use oncharge_domain::branding::accent::Accent;
    use oncharge_domain::branding::color::Color;

    use super::*;
    use crate::checkout::page::assets::TOKENS_CSS;

    fn branding(light: Option<&str>, dark: Option<&str>) -> Branding {
        Branding {
            accent: light.map(|text| Accent::parse(text, ColorScheme::Light).unwrap()),
            accent_dark: dark.map(|text| Accent::parse(text, ColorScheme::Dark).unwrap()),
            logo: None,
        }
    }

    #[test]
    fn each_color_scheme_has_its_own_accent() {
        const LIGHT: &str = "@media not all and (prefers-color-scheme:dark){:root{--accent:#c2185b;\
             --accent-hover:#9f134a;--on-accent:#ffffff;--focus:#c2185b}}";
        const DARK: &str = "@media (prefers-color-scheme:dark){:root{--accent:#ff80ab;\
             --accent-hover:#ff97bb;--on-accent:#101317;--focus:#ff80ab}}";
        let (light, dark) = (Some("#C2185B"), Some("#FF80AB"));
        let style = |light, dark| {
            accent_style(&branding(light, dark)).map(|accent_style| accent_style.style)
        };
        assert_eq!(style(light, dark).unwrap(), format!("{LIGHT}{DARK}"));
        assert_eq!(style(light, None).as_deref(), Some(LIGHT));
        assert_eq!(style(None, dark).as_deref(), Some(DARK));
        assert_eq!(style(None, None), None);
    }

    /// The value of a property within a section of the shared properties.
    fn css_property(part: &str, name: &str) -> Color {
        let value = part.split_once(&format!("--{name}: ")).unwrap().1;
        Color::parse(value.split_once(';').unwrap().0).unwrap()
    }

    #[test]
    fn accents_are_checked_against_the_page_surface() {
        let (light, dark) = TOKENS_CSS
            .split_once("@media (prefers-color-scheme: dark)")
            .unwrap();
        assert_eq!(ColorScheme::Light.surface(), css_property(light, "surface"));
        assert_eq!(
            ColorScheme::Light.on_accent(),
            css_property(light, "on-accent")
        );
        assert_eq!(ColorScheme::Dark.surface(), css_property(dark, "surface"));
        assert_eq!(ColorScheme::Dark.on_accent(), css_property(dark, "page"));
        // The default accents also pass the validation.
        for (part, scheme) in [(light, ColorScheme::Light), (dark, ColorScheme::Dark)] {
            let own_accent = css_property(part, "accent").to_string();
            assert!(
                Accent::parse(&own_accent, scheme).is_ok(),
                "{own_accent} {scheme:?}"
            );
        }
    }
}
