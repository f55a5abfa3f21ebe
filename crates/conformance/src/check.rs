//! Assertions that say what differs.

/// Errors with both values where they differ.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($what:tt)+) => {{
        let (left, right) = (&$left, &$right);
        anyhow::ensure!(
            left == right,
            "{}:\n  is        {left:?}\n  should be {right:?}",
            format!($($what)+)
        );
    }};
}

/// Errors where a result is not the wanted variant of error.
macro_rules! ensure_err {
    ($result:expr, $pattern:pat, $($what:tt)+) => {{
        let result = $result;
        anyhow::ensure!(matches!(result, Err($pattern)), "{}: {result:?}", format!($($what)+));
    }};
}
