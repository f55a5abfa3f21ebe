//! The shop's products and the cart.

use crate::{dollars::Dollars, order::Line};

/// Maximum quantity of one product in a cart.
const MAX_QUANTITY: u32 = 9;

/// A product for sale.
pub(crate) struct Product {
    /// Its id in queries and forms.
    pub(crate) id: &'static str,
    /// Its display name.
    pub(crate) name: &'static str,
    /// A one-line description.
    pub(crate) description: &'static str,
    /// The unit price.
    pub(crate) price: Dollars,
    /// An inline SVG.
    pub(crate) picture: &'static str,
}

const PRODUCTS: [Product; 4] = [
    Product {
        id: "mug",
        name: "Stoneware mug",
        description: "Thrown by hand, 350 ml.",
        price: Dollars::cents(2400),
        picture: include_str!("../assets/mug.svg"),
    },
    Product {
        id: "notebook",
        name: "Linen notebook",
        description: "160 dotted pages that lie flat.",
        price: Dollars::cents(1850),
        picture: include_str!("../assets/notebook.svg"),
    },
    Product {
        id: "lamp",
        name: "Desk lamp",
        description: "Warm light on a long arm.",
        price: Dollars::cents(8900),
        picture: include_str!("../assets/lamp.svg"),
    },
    Product {
        id: "fern",
        name: "Fern in a pot",
        description: "Survives a week without water.",
        price: Dollars::cents(3275),
        picture: include_str!("../assets/fern.svg"),
    },
];

/// A product with its quantity in the cart.
pub(crate) struct CartLine {
    pub(crate) product: &'static Product,
    /// Zero if the product is not in the cart.
    pub(crate) quantity: u32,
}

impl CartLine {
    /// The price of the whole quantity.
    pub(crate) fn sum(&self) -> Dollars {
        self.product.price.times(self.quantity)
    }
}

/// One line per product, in catalog order.
pub(crate) struct Cart {
    pub(crate) lines: Vec<CartLine>,
}

impl Cart {
    /// Parses the cart of a query or form, `mug=2&lamp=1`; `add=mug` adds one, `less=mug` removes
    /// one. Prices come from the catalog, never from the browser.
    pub(crate) fn from_pairs(pairs: &[(String, String)]) -> Self {
        let lines = PRODUCTS.iter().map(|product| {
            let wanted = pairs.iter().filter(|(name, _)| name == product.id);
            let mut counts = wanted.filter_map(|(_, count)| count.parse::<u32>().ok());
            let step_count = |step: &str| {
                let mut pairs = pairs.iter();
                u32::from(pairs.any(|(name, id)| name == step && id == product.id))
            };
            let count = counts
                .next_back()
                .unwrap_or(0)
                .saturating_add(step_count("add"));
            let quantity = count.min(MAX_QUANTITY).saturating_sub(step_count("less"));
            CartLine { product, quantity }
        });
        Self {
            lines: lines.collect(),
        }
    }

    /// The total price.
    pub(crate) fn total(&self) -> Dollars {
        self.lines.iter().map(CartLine::sum).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.quantity == 0)
    }

    /// Maximum quantity of one product.
    #[expect(clippy::unused_self, reason = "templates reach it through the cart")]
    pub(crate) fn max_quantity(&self) -> u32 {
        MAX_QUANTITY
    }

    /// The lines of an order, with today's names and prices.
    pub(crate) fn to_lines(&self) -> Vec<Line> {
        let filled = self.lines.iter().filter(|line| line.quantity > 0);
        filled
            .map(|line| Line {
                product: line.product.id.to_owned(),
                name: line.product.name.to_owned(),
                price: line.product.price,
                quantity: line.quantity,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cart(pairs: &[(&str, &str)]) -> Cart {
        let owned: Vec<_> = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        Cart::from_pairs(&owned)
    }

    #[test]
    fn a_cart_is_parsed_from_its_query() {
        let cart = cart(&[("mug", "2"), ("fern", "1"), ("fern", "3"), ("unknown", "4")]);
        assert_eq!(cart.total(), Dollars::cents(2 * 2400 + 3 * 3275));
        let lines = cart.to_lines();
        assert_eq!(
            lines.iter().map(|line| line.quantity).collect::<Vec<_>>(),
            [2, 3]
        );
    }

    #[test]
    fn add_adds_one() {
        assert_eq!(
            cart(&[("mug", "2"), ("add", "mug")]).total(),
            Dollars::cents(3 * 2400)
        );
    }

    #[test]
    fn less_removes_one() {
        assert_eq!(
            cart(&[("mug", "2"), ("less", "mug")]).total(),
            Dollars::cents(2400)
        );
        assert!(cart(&[("mug", "0"), ("less", "mug")]).is_empty());
    }

    #[test]
    fn invalid_quantities_are_ignored_and_large_ones_capped() {
        assert!(cart(&[("mug", "-1"), ("lamp", "x"), ("add", "ghost")]).is_empty());
        assert_eq!(
            cart(&[("mug", "4000000000")]).total(),
            Dollars::cents(9 * 2400)
        );
    }
}
