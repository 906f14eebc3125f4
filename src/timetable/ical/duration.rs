//! Lengths of time of an iCalendar file, such as `P1D` or `PT1H30M`.

use jiff::Span;

/// Days and seconds, which are not the same where clocks are changed. `None` if it is none, or not longer than nothing.
pub(super) fn read(text: &str) -> Option<(Span, i64)> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (days, times) = text.split_once('T').unwrap_or((text, ""));
    let days = sum(days, &[('W', 7), ('D', 1)])?;
    let seconds = sum(times, &[('H', 3_600), ('M', 60), ('S', 1)])?;
    let span = Span::new().try_days(days).ok()?;
    (days + seconds > 0).then_some((span, seconds))
}

/// Numbers with units, each at most once and in their order.
fn sum(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut sum: i64 = 0;
    for (unit, factor) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        // Six digits of weeks are more than there are years.
        if number.is_empty() || number.len() > 6 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        sum += number.parse::<i64>().ok()? * factor;
        text = rest;
    }
    text.is_empty().then_some(sum)
}
