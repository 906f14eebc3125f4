//! Names of objects for keys of records.

use std::fmt::Write;

use ring::digest;

/// Longest name of an object.
const NAME_MAX: usize = 253;

/// Bytes of the hash: 80 bits, so that two keys of the same ledger never meet.
const HASH_BYTES: usize = 10;

/// Readable part of a name with a hash.
const READABLE_MAX: usize = 100;

/// The name of the object that holds a key; always the same for the same key, and never the same for two.
///
/// `record/gpki/gpki-verify` becomes `record.gpki.gpki-verify`. A key that has no such name (upper case, dots, too long,
/// …) gets a readable part, two hyphens and a hash; no other name has two hyphens.
#[must_use]
pub fn object_name(key: &str) -> String {
    if is_plain(key) { key.replace('/', ".") } else { format!("{}--{}", readable(key), hash(key)) }
}

/// Whether replacing `/` by `.` gives a DNS name and can be undone.
fn is_plain(key: &str) -> bool {
    let segment = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('-')
            && !segment.ends_with('-')
            && segment.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    key.len() <= NAME_MAX && !key.contains("--") && key.split('/').all(segment)
}

fn readable(key: &str) -> String {
    let lower = key.chars().map(|letter| letter.to_ascii_lowercase());
    let kept: String =
        lower.map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
    let short: String = words.join("-").chars().take(READABLE_MAX).collect();
    let trimmed = short.trim_matches('-');
    if trimmed.is_empty() { "key".to_owned() } else { trimmed.to_owned() }
}

fn hash(key: &str) -> String {
    let digest = digest::digest(&digest::SHA256, key.as_bytes());
    digest.as_ref().iter().take(HASH_BYTES).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ordinary_key_stays_readable() {
        assert_eq!(object_name("record/gpki/gpki-verify"), "record.gpki.gpki-verify");
    }

    #[test]
    fn keys_that_look_alike_get_different_names() {
        let keys = [
            "a/b", "a.b", "A/b", "a/B", "a//b", "a/b/", "a-/b", "a--b", "a/-b", "a_b", "a-b", "", "/", "센터",
        ];
        let names: BTreeSet<String> = keys.iter().map(|key| object_name(key)).collect();
        assert_eq!(names.len(), keys.len(), "{names:?}");
        assert!(object_name("run/Gpki/X").starts_with("run-gpki-x--"));
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_the_api_server_takes(key in "[a-zA-Z0-9/._ -]{0,400}|.{0,80}") {
            let name = object_name(&key);
            prop_assert!(!name.is_empty() && name.len() <= NAME_MAX);
            for label in name.split('.') {
                prop_assert!(!label.is_empty() && !label.starts_with('-') && !label.ends_with('-'), "{}", name);
                prop_assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", name);
            }
        }
    }
}
