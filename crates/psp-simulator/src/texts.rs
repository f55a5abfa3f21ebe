//! Texts shown to shoppers, in English, German, French and Spanish.

use actix_web::HttpRequest;
use actix_web::http::header::{AcceptLanguage, Header as _, LanguageTag};

/// All texts of one language.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) lang: &'static str,
    pub(crate) card_details: &'static str,
    pub(crate) number: &'static str,
    pub(crate) expiry: &'static str,
    pub(crate) expiry_hint: &'static str,
    pub(crate) cvc: &'static str,
    pub(crate) number_invalid: &'static str,
    pub(crate) expiry_invalid: &'static str,
    pub(crate) expiry_past: &'static str,
    pub(crate) cvc_invalid: &'static str,
    pub(crate) challenge_title: &'static str,
    pub(crate) challenge_intro: &'static str,
    pub(crate) challenge_card: &'static str,
    pub(crate) challenge_pass: &'static str,
    pub(crate) challenge_fail: &'static str,
    pub(crate) challenge_ended: &'static str,
    pub(crate) challenge_ended_intro: &'static str,
}

const ENGLISH: Texts = Texts {
    lang: "en",
    card_details: "Card details",
    number: "Card number",
    expiry: "Expiry date",
    expiry_hint: "MM/YY",
    cvc: "Security code",
    number_invalid: "Please check the card number.",
    expiry_invalid: "Enter the month and year, such as 04/30.",
    expiry_past: "This card has expired.",
    cvc_invalid: "Enter the 3 or 4 digits of the security code.",
    challenge_title: "Confirm that it is you",
    challenge_intro: "This page simulates your bank. Your card will not be charged.",
    challenge_card: "Card ending in",
    challenge_pass: "Complete authentication",
    challenge_fail: "Fail authentication",
    challenge_ended: "Authentication has ended",
    challenge_ended_intro: "You can go back to the shop.",
};

const GERMAN: Texts = Texts {
    lang: "de",
    card_details: "Kartendaten",
    number: "Kartennummer",
    expiry: "Ablaufdatum",
    expiry_hint: "MM/JJ",
    cvc: "Prüfnummer",
    number_invalid: "Bitte prüfen Sie die Kartennummer.",
    expiry_invalid: "Bitte geben Sie Monat und Jahr ein, zum Beispiel 04/30.",
    expiry_past: "Diese Karte ist abgelaufen.",
    cvc_invalid: "Bitte geben Sie die 3 oder 4 Ziffern der Prüfnummer ein.",
    challenge_title: "Bestätigen Sie die Zahlung",
    challenge_intro: "Diese Seite simuliert Ihre Bank. Ihre Karte wird nicht belastet.",
    challenge_card: "Karte mit den Endziffern",
    challenge_pass: "Bestätigung abschließen",
    challenge_fail: "Bestätigung fehlschlagen lassen",
    challenge_ended: "Die Bestätigung ist beendet",
    challenge_ended_intro: "Sie können zum Shop zurückkehren.",
};

const FRENCH: Texts = Texts {
    lang: "fr",
    card_details: "Informations de carte",
    number: "Numéro de carte",
    expiry: "Date d’expiration",
    expiry_hint: "MM/AA",
    cvc: "Code de sécurité",
    number_invalid: "Vérifiez le numéro de carte.",
    expiry_invalid: "Saisissez le mois et l’année, par exemple 04/30.",
    expiry_past: "Cette carte a expiré.",
    cvc_invalid: "Saisissez les 3 ou 4 chiffres du code de sécurité.",
    challenge_title: "Confirmez votre identité",
    challenge_intro: "Cette page simule votre banque. Votre carte ne sera pas débitée.",
    challenge_card: "Carte se terminant par",
    challenge_pass: "Terminer l’authentification",
    challenge_fail: "Faire échouer l’authentification",
    challenge_ended: "L’authentification est terminée",
    challenge_ended_intro: "Vous pouvez revenir à la boutique.",
};

const SPANISH: Texts = Texts {
    lang: "es",
    card_details: "Datos de la tarjeta",
    number: "Número de tarjeta",
    expiry: "Fecha de caducidad",
    expiry_hint: "MM/AA",
    cvc: "Código de seguridad",
    number_invalid: "Compruebe el número de tarjeta.",
    expiry_invalid: "Introduzca el mes y el año, por ejemplo 04/30.",
    expiry_past: "Esta tarjeta ha caducado.",
    cvc_invalid: "Introduzca las 3 o 4 cifras del código de seguridad.",
    challenge_title: "Confirme su identidad",
    challenge_intro: "Esta página simula su banco. No se cobrará nada en su tarjeta.",
    challenge_card: "Tarjeta terminada en",
    challenge_pass: "Completar la autenticación",
    challenge_fail: "Hacer que falle la autenticación",
    challenge_ended: "La autenticación ha terminado",
    challenge_ended_intro: "Puede volver a la tienda.",
};

/// The texts of a language by its tag (`de`, `de-AT`); `None` if it is not supported.
fn find_language(tag: &str) -> Option<&'static Texts> {
    let primary = tag.split('-').next()?.trim().to_ascii_lowercase();
    match primary.as_str() {
        "en" => Some(&ENGLISH),
        "de" => Some(&GERMAN),
        "fr" => Some(&FRENCH),
        "es" => Some(&SPANISH),
        _ => None,
    }
}

impl Texts {
    /// The requested language, otherwise English.
    pub(crate) fn of(tag: Option<&str>) -> &'static Self {
        tag.and_then(find_language).unwrap_or(&ENGLISH)
    }

    /// The supported language that the browser prefers, otherwise English.
    pub(crate) fn accepted_by(request: &HttpRequest) -> &'static Self {
        let ranked = AcceptLanguage::parse(request).map(|accepted| accepted.ranked());
        let ranked = ranked.unwrap_or_default();
        let tags = ranked.iter().filter_map(|preference| preference.item());
        tags.map(LanguageTag::primary_language)
            .find_map(find_language)
            .unwrap_or(&ENGLISH)
    }
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[test]
    fn languages_are_found_by_their_primary_tag() {
        for (tag, lang) in [
            ("de-AT", "de"),
            ("FR", "fr"),
            ("es", "es"),
            ("xx", "en"),
            ("", "en"),
        ] {
            assert_eq!(Texts::of(Some(tag)).lang, lang);
        }
        assert_eq!(Texts::of(None).lang, "en");
    }
}
