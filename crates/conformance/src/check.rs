//! Assertions whose errors show the difference.

/// Errors with both values if they differ.
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

/// Errors unless a result is the expected error variant.
macro_rules! ensure_err {
    ($result:expr, $pattern:pat, $($what:tt)+) => {{
        let result = $result;
        anyhow::ensure!(matches!(result, Err($pattern)), "{}: {result:?}", format!($($what)+));
    }};
}
