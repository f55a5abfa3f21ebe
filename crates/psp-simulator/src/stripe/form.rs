//! Reads form-encoded parameters with nested keys (`a[b]`, `a[]`, `a[0]`), one by one.
//!
//! Values are never echoed: a parameter may contain a card number.

use std::collections::BTreeMap;

use url::Url;

use super::error::StripeError;

/// Maximum number of keys in metadata, their length, and the length of a value.
const MAX_METADATA: [usize; 3] = [50, 40, 500];
const MAX_TEXT_LENGTH: usize = 5_000;

/// The parameters that have not been read yet.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Decodes a form or a query string.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// All parameters in a fixed order, to compare requests. Of a card's number only the last four
    /// digits are compared and of its security code nothing, because the result is stored.
    pub(super) fn comparable(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = self
            .0
            .iter()
            .filter(|(key, _)| !key.ends_with("[cvc]"))
            .map(|(key, value)| (key.clone(), masked(key, value)))
            .collect();
        pairs.sort();
        pairs
    }

    /// Takes a parameter; an empty text counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let mut found = None;
        self.0.retain_mut(|(key, value)| {
            let matches = key == name;
            if matches {
                found = Some(std::mem::take(value));
            }
            !matches
        });
        found.filter(|text| !text.is_empty())
    }

    /// Takes a text of at most 5,000 characters.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, StripeError> {
        let text = self.take(name);
        if text
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_TEXT_LENGTH)
        {
            return Err(invalid(name, "is too long"));
        }
        Ok(text)
    }

    /// Takes a required parameter.
    pub(super) fn required(&mut self, name: &str) -> Result<String, StripeError> {
        self.text(name)?.ok_or_else(|| StripeError::required(name))
    }

    /// Takes an integer.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, StripeError> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            StripeError::invalid("Invalid integer.")
                .with_code("parameter_invalid_integer")
                .with_param(name)
        })
    }

    /// Takes an amount in minor units, at least 1.
    pub(super) fn amount(&mut self, name: &str) -> Result<Option<i64>, StripeError> {
        let amount = self.integer(name)?;
        if amount.is_some_and(|amount| amount < 1) {
            return Err(
                StripeError::invalid("This value must be greater than or equal to 1.")
                    .with_code("parameter_invalid_integer")
                    .with_param(name),
            );
        }
        Ok(amount)
    }

    /// Takes a boolean.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, StripeError> {
        match self.take(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(invalid(name, "must be true or false")),
        }
    }

    /// Takes one of `choices`.
    pub(super) fn choice(
        &mut self,
        name: &str,
        choices: &[&str],
    ) -> Result<Option<String>, StripeError> {
        let choice = self.take(name);
        if choice
            .as_deref()
            .is_some_and(|text| !choices.contains(&text))
        {
            let message = format!("must be one of {}", choices.join(", "));
            return Err(invalid(name, &message));
        }
        Ok(choice)
    }

    /// Takes an absolute `http` or `https` URL.
    pub(super) fn url(&mut self, name: &str) -> Result<Option<String>, StripeError> {
        let url = self.text(name)?;
        let is_url = |text: &String| {
            Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        if url.as_ref().is_some_and(|text| !is_url(text)) {
            return Err(StripeError::invalid("Not a valid URL.")
                .with_code("url_invalid")
                .with_param(name));
        }
        Ok(url)
    }

    /// Takes a list: `name[]` or `name[0]`, `name[1]`, …
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        self.members(name)
            .into_iter()
            .map(|(_, value)| value)
            .collect()
    }

    /// Takes `name[…]` without reading it.
    pub(super) fn discard(&mut self, name: &str) {
        drop(self.members(name));
    }

    /// Takes `metadata[…]`.
    pub(super) fn metadata(&mut self) -> Result<BTreeMap<String, String>, StripeError> {
        let [max_keys, max_key_length, max_value_length] = MAX_METADATA;
        let metadata: BTreeMap<String, String> = self.members("metadata").into_iter().collect();
        let are_short = metadata.iter().all(|(key, value)| {
            key.chars().count() <= max_key_length && value.chars().count() <= max_value_length
        });
        if metadata.len() > max_keys || !are_short {
            return Err(invalid(
                "metadata",
                "has at most 50 keys of 40 characters with values of 500 characters",
            ));
        }
        Ok(metadata)
    }

    /// Refuses remaining parameters as unknown.
    pub(super) fn finish(self) -> Result<(), StripeError> {
        let Some((name, _)) = self.0.into_iter().next() else {
            return Ok(());
        };
        Err(
            StripeError::invalid(&format!("Received unknown parameter: {name}"))
                .with_code("parameter_unknown")
                .with_param(&name),
        )
    }

    /// Takes the members `name[key]`, in the order of the request.
    fn members(&mut self, name: &str) -> Vec<(String, String)> {
        let mut members = Vec::new();
        self.0.retain_mut(|(key, value)| {
            let member = key
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('['))
                .and_then(|rest| rest.strip_suffix(']'));
            let Some(member) = member else { return true };
            members.push((member.to_owned(), std::mem::take(value)));
            false
        });
        members
    }
}

fn masked(key: &str, value: &str) -> String {
    let kept = if key.ends_with("[number]") {
        4
    } else {
        usize::MAX
    };
    let skipped = value.chars().count().saturating_sub(kept);
    value.chars().skip(skipped).collect()
}

/// 400 for one parameter.
pub(super) fn invalid(name: &str, problem: &str) -> StripeError {
    StripeError::invalid(&format!("Invalid {name}: it {problem}.")).with_param(name)
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn nested_keys_and_lists_are_read() {
        let mut form = Form::parse(
            b"amount=1000&metadata%5Ba%5D=1&metadata[b]=x+y&types[]=card&types[]=link&expand[0]=e",
        );
        assert_eq!(form.amount("amount").unwrap(), Some(1_000));
        let metadata = form.metadata().unwrap();
        assert_eq!(metadata["a"], "1");
        assert_eq!(metadata["b"], "x y");
        assert_eq!(form.list("types"), ["card", "link"]);
        assert_eq!(form.list("expand"), ["e"]);
        form.finish().unwrap();
    }

    #[test]
    fn invalid_and_unknown_parameters_are_refused() {
        let mut form =
            Form::parse(b"amount=1.5&zero=0&confirm=yes&method=x&url=shop&other=1&empty=");
        assert!(form.amount("amount").is_err() && form.amount("zero").is_err());
        assert!(form.flag("confirm").is_err());
        assert!(form.choice("method", &["manual"]).is_err());
        assert!(form.url("url").is_err());
        assert!(form.required("missing").is_err() && form.required("empty").is_err());
        let error = form.finish().unwrap_err().to_json();
        assert_eq!(error["error"]["code"], "parameter_unknown");
        assert_eq!(error["error"]["param"], "other");
    }

    #[test]
    fn card_numbers_are_masked_before_requests_are_compared() {
        let form = Form::parse(b"type=card&card[number]=4242424242424242&card[cvc]=123");
        let pairs = form.comparable();
        assert_eq!(pairs[0], ("card[number]".to_owned(), "4242".to_owned()));
        assert_eq!(pairs[1], ("type".to_owned(), "card".to_owned()));
        assert_eq!(pairs.len(), 2);
    }

    #[test]
    fn metadata_is_bounded() {
        let too_long = format!("metadata[a]={}", "x".repeat(501));
        assert!(Form::parse(too_long.as_bytes()).metadata().is_err());
        let long_enough = format!("metadata[a]={}", "x".repeat(500));
        assert!(Form::parse(long_enough.as_bytes()).metadata().is_ok());
    }
}
