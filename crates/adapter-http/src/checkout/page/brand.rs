//! What the page shows of the merchant's own look: a second style sheet and an image, both in the page
//! itself, so that it loads nothing from anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oncharge_domain::merchant::accent::{Scheme, Shade};
use oncharge_domain::merchant::logo::Logo;
use oncharge_domain::merchant::look::Look;

use super::assets::base64_sha256;

/// The style sheet of an accent, and what allows it.
pub(super) struct Tint {
    /// Its text: nothing but properties and colours of six hexadecimal digits.
    pub(super) style: String,
    /// Base64 SHA-256 of it, for the policy.
    pub(super) digest: String,
}

/// The style sheet of this look, if it has an accent that can be read.
pub(super) fn tint(look: &Look) -> Option<Tint> {
    // Each scheme by itself: where one has no accent, the page's own stays.
    let schemes = [
        (Scheme::Light, "not all and (prefers-color-scheme:dark)"),
        (Scheme::Dark, "(prefers-color-scheme:dark)"),
    ];
    let rules = schemes.map(|(scheme, query)| look.shade(scheme).map(|shade| rule(query, shade)));
    let style: String = rules.into_iter().flatten().collect();
    (!style.is_empty()).then(|| Tint {
        digest: base64_sha256(&style),
        style,
    })
}

fn rule(query: &str, shade: Shade) -> String {
    let Shade { accent, hover, ink } = shade;
    format!(
        "@media {query}{{:root{{--accent:{accent};--accent-hover:{hover};--on-accent:{ink};\
         --focus:{accent}}}}}"
    )
}

/// The logo as the source of an `<img>`. There a browser runs no script of an SVG and loads nothing that
/// it names; nowhere else may it be put.
pub(super) fn source(logo: &Logo) -> String {
    let media_type = logo.kind().media_type();
    format!("data:{media_type};base64,{}", STANDARD.encode(logo.bytes()))
}

#[cfg(test)]
mod tests {
    use oncharge_domain::merchant::accent::Accent;
    use oncharge_domain::merchant::colour::Colour;

    use super::*;
    use crate::checkout::page::assets::TOKENS_CSS;

    fn look(light: Option<&str>, dark: Option<&str>) -> Look {
        Look {
            accent: light.map(|text| Accent::parse(text, Scheme::Light).unwrap()),
            accent_dark: dark.map(|text| Accent::parse(text, Scheme::Dark).unwrap()),
            logo: None,
        }
    }

    #[test]
    fn each_scheme_is_tinted_by_itself() {
        const LIGHT: &str = "@media not all and (prefers-color-scheme:dark){:root{--accent:#c2185b;\
             --accent-hover:#9f134a;--on-accent:#ffffff;--focus:#c2185b}}";
        const DARK: &str = "@media (prefers-color-scheme:dark){:root{--accent:#ff80ab;\
             --accent-hover:#ff97bb;--on-accent:#101317;--focus:#ff80ab}}";
        let (light, dark) = (Some("#C2185B"), Some("#FF80AB"));
        let style = |light, dark| tint(&look(light, dark)).map(|tint| tint.style);
        assert_eq!(style(light, dark).unwrap(), format!("{LIGHT}{DARK}"));
        assert_eq!(style(light, None).as_deref(), Some(LIGHT));
        assert_eq!(style(None, dark).as_deref(), Some(DARK));
        assert_eq!(style(None, None), None);
    }

    /// The value of a property in a part of the shared properties.
    fn token(part: &str, name: &str) -> Colour {
        let value = part.split_once(&format!("--{name}: ")).unwrap().1;
        Colour::parse(value.split_once(';').unwrap().0).unwrap()
    }

    #[test]
    fn accents_are_judged_against_the_pages_own_surface() {
        let (light, dark) = TOKENS_CSS
            .split_once("@media (prefers-color-scheme: dark)")
            .unwrap();
        assert_eq!(Scheme::Light.surface(), token(light, "surface"));
        assert_eq!(Scheme::Light.ink(), token(light, "on-accent"));
        assert_eq!(Scheme::Dark.surface(), token(dark, "surface"));
        assert_eq!(Scheme::Dark.ink(), token(dark, "page"));
        // The page's own accents would be accepted, too.
        for (part, scheme) in [(light, Scheme::Light), (dark, Scheme::Dark)] {
            let own = token(part, "accent").to_string();
            assert!(Accent::parse(&own, scheme).is_ok(), "{own} {scheme:?}");
        }
    }
}
